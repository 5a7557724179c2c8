/** Group commit against a writer that answers when told. */
import { expect, test } from "vitest";
import { ServiceError } from "../../shared/errors.ts";
import { GroupCommit } from "../../server/storage/log/group-commit.ts";
import { ManualClock } from "../support/manual-clock.ts";

const limits = { commitEntriesMax: 3, commitBytesMax: 100, appendQueueBytesMax: 50 };
const one = { entries: 1, bytes: 10 };

interface Write {
  readonly items: readonly string[];
  finish(error?: Error): void;
}

function setup(): { commit: GroupCommit<string>; writes: Write[] } {
  const writes: Write[] = [];
  const write = (items: readonly string[]): Promise<void> =>
    new Promise((resolve, reject) =>
      writes.push({ items, finish: (error) => (error === undefined ? resolve() : reject(error)) }),
    );
  return { commit: new GroupCommit({ clock: new ManualClock(), limits, write }), writes };
}

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

test("[COMMIT-1] what comes in one turn is one batch; what comes while it is written is the next, in order", async () => {
  const { commit, writes } = setup();
  const done: string[] = [];
  const submit = (item: string): void => void commit.submit(item, one).then(() => done.push(item));
  submit("a");
  submit("b");
  await turn();
  submit("c");
  submit("d");
  await turn();
  expect(writes.map(({ items }) => items)).toEqual([["a", "b"]]);
  expect(done).toEqual([]);
  writes[0]?.finish();
  await turn();
  expect(done).toEqual(["a", "b"]);
  expect(writes.map(({ items }) => items)).toEqual([
    ["a", "b"],
    ["c", "d"],
  ]);
  writes[1]?.finish();
  await commit.drained();
  expect(done).toEqual(["a", "b", "c", "d"]);
});

test("[COMMIT-2] after the first failed batch everything is refused and nothing more is written", async () => {
  const { commit, writes } = setup();
  const first = commit.submit("a", one);
  await turn();
  const waiting = commit.submit("b", one);
  const drained = commit.drained();
  const cause = new Error("disk");
  writes[0]?.finish(cause);
  const failure = await first.catch((error: unknown) => error);
  expect(failure).toBeInstanceOf(ServiceError);
  expect(failure).toMatchObject({ code: "STORE_UNAVAILABLE", cause });
  await expect(waiting).rejects.toBe(failure);
  await expect(commit.submit("c", one)).rejects.toBe(failure);
  await drained;
  await turn();
  expect(writes).toHaveLength(1);
  expect(commit.failure).toBe(failure);
});

test("[COMMIT-2] a writer that throws at once has failed as well", async () => {
  const commit = new GroupCommit<string>({
    clock: new ManualClock(),
    limits,
    write: () => {
      throw new Error("bad item");
    },
  });
  await expect(commit.submit("a", one)).rejects.toMatchObject({ code: "STORE_UNAVAILABLE" });
});

test("[COMMIT-3] a batch stays within its bounds of entries and bytes; a single larger item goes alone", async () => {
  const { commit, writes } = setup();
  const sizes = [
    ["a", { entries: 2, bytes: 1 }],
    ["b", { entries: 2, bytes: 1 }],
    ["c", { entries: 1, bytes: 1 }],
    ["d", { entries: 1, bytes: 500 }],
    ["e", { entries: 9, bytes: 1 }],
    ["f", { entries: 1, bytes: 1 }],
  ] as const;
  for (const [item, size] of sizes) void commit.submit(item, size);
  for (let batch = 0; batch < 5; batch++) {
    await turn();
    writes[batch]?.finish();
  }
  await commit.drained();
  expect(writes.map(({ items }) => items.join(""))).toEqual(["a", "bc", "d", "e", "f"]);
});

test("[COMMIT-3] the queue has a bound that what is being written does not count for, and an empty one takes anything", async () => {
  const { commit, writes } = setup();
  expect(commit.hasRoomFor(1000)).toBe(true);
  void commit.submit("a", { entries: 1, bytes: 40 });
  expect(commit.hasRoomFor(10)).toBe(true);
  expect(commit.hasRoomFor(11)).toBe(false);
  await turn();
  expect(commit.hasRoomFor(1000)).toBe(true);
  writes[0]?.finish();
  await commit.drained();
});
