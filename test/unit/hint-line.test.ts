/** What a node says of its appends, and what another one makes of it; the line between them is a fake. */
import { expect, test } from "vitest";
import type { Hint, LogEntry } from "../../server/storage/change-log.ts";
import { encodeRun } from "../../server/storage/log/entry-codec.ts";
import { runKey } from "../../server/storage/log/log-keys.ts";
import { HintLine } from "../../server/storage/postgres/lines/hint-line.ts";
import { hintOf, wordOf } from "../../server/storage/postgres/lines/hint-word.ts";
import { NOTICE_BYTES_MAX } from "../../server/storage/postgres/lines/notice-line.ts";
import { LIMITS } from "../../shared/limits.ts";
import { entryOf, idOf } from "../support/log-fixtures.ts";
import { turns } from "../support/service-rig.ts";

const plan = idOf("plan");

function entryAt(seq: number): LogEntry {
  return { ...entryOf(seq), seq, version: seq };
}

function runOf(...entries: readonly LogEntry[]) {
  const key = runKey(7, entries[0]?.seq ?? 0);
  return { firstEpoch: 3, item: [key, encodeRun(key, (entries[0]?.version ?? 1) - 1, entries)] as const };
}

/** A line whose messages arrive when they are let through. */
class Line {
  readonly said: string[] = [];
  readonly heard: Hint[] = [];
  isUp = true;
  #go: (() => void)[] = [];
  #lost = (): void => undefined;
  readonly hints: HintLine;

  constructor() {
    this.hints = new HintLine({
      isUp: true,
      hear: (_channel, listener) => (this.#listener = listener),
      onLost: (listener) => (this.#lost = listener),
      onLeaving: () => undefined,
      open: async () => undefined,
      leave: async () => undefined,
      close: () => undefined,
      say: (_channel, message) => {
        this.said.push(message);
        return new Promise((resolve) => this.#go.push(resolve));
      },
    });
    this.hints.onHint((hint) => this.heard.push(hint));
  }

  #listener: (message: string, sender: string) => void = () => undefined;

  /** What is under way arrives, and what is said then is under way. */
  async pass(): Promise<void> {
    const message = this.said.at(-1);
    if (message !== undefined) this.#listener(message, "other");
    this.#go.shift()?.();
    await turns();
  }

  lose(): void {
    this.#lost();
  }
}

const seqsIn = (hint: Hint | undefined): readonly number[] | undefined =>
  hint?.brought()?.entries.map(({ seq }) => seq);

test("[LOG-29] a word brings its append along; of a context told of again before that, only how far it is", async () => {
  const line = new Line();
  const told = [entryAt(1), entryAt(2)];
  line.hints.tell({ contextId: plan, seq: 2, run: runOf(...told) });
  for (const seq of [3, 4]) line.hints.tell({ contextId: plan, seq, run: runOf(entryAt(seq)) });
  line.hints.tell({ contextId: idOf("b:1.2"), seq: 9, run: runOf(entryAt(9)) });
  await line.pass();
  await line.pass();
  expect(line.said).toHaveLength(2);
  expect(line.heard.map(({ contextId, seq }) => [contextId, seq])).toEqual([
    ["plan", 2],
    ["plan", 4],
    ["b:1.2", 9],
  ]);
  expect(line.heard.map(seqsIn)).toEqual([[1, 2], undefined, [9]]);
  expect(line.heard[0]?.brought()).toEqual({ meta: { firstEpoch: 3 }, entries: told });
});

test("[LOG-29] appends of hintRunBytesMax in all go along with their message, more do not", async () => {
  const line = new Line();
  const withUpdate = (bytes: number): LogEntry => ({ ...entryAt(1), update: new Uint8Array(bytes) });
  const rest = runOf(withUpdate(1000)).item[1].length - 1000;
  const tell = (id: string, bytes: number): void =>
    line.hints.tell({ contextId: idOf(id), seq: 1, run: runOf(withUpdate(bytes - rest)) });
  const half = LIMITS.hintRunBytesMax / 2;
  tell("whole", LIMITS.hintRunBytesMax);
  for (const id of ["a", "b"]) tell(id, half);
  await line.pass();
  // while what they are two of is under way
  for (const [id, bytes] of [
    ["c", half],
    ["d", half + 1],
  ] as const)
    tell(id, bytes);
  await line.pass();
  tell("more", LIMITS.hintRunBytesMax + 1);
  await line.pass();
  await line.pass();
  expect(line.heard.map((hint) => [hint.contextId, seqsIn(hint)])).toEqual([
    ["whole", [1]],
    ["a", [1]],
    ["b", [1]],
    ["c", undefined],
    ["d", undefined],
    ["more", undefined],
  ]);
  expect(line.said.every(({ length }) => length <= NOTICE_BYTES_MAX)).toBe(true);
});

test("[LOG-23] words of more contexts than one message holds come in several", async () => {
  const line = new Line();
  const ids = Array.from({ length: 200 }, (_, n) => idOf(`${n}`.padStart(100, "c")));
  for (const contextId of ids) line.hints.tell({ contextId, seq: 1, run: runOf(entryAt(1)) });
  for (let n = 0; n < 10 && line.heard.length < ids.length; n++) await line.pass();
  expect(line.said.every(({ length }) => length <= NOTICE_BYTES_MAX)).toBe(true);
  expect(line.heard.map(({ contextId }) => contextId)).toEqual(ids);
});

test("[LOG-23] what waited when the line was lost is not told after it", async () => {
  const line = new Line();
  for (const seq of [1, 2]) line.hints.tell({ contextId: plan, seq });
  line.lose();
  await line.pass();
  expect(line.said).toEqual(["plan:1"]);
});

test("[LOG-29] a run that nobody can read is none that came along", () => {
  const word = wordOf({ contextId: plan, seq: 1, run: runOf(entryAt(1)) });
  expect(seqsIn(hintOf(word))).toEqual([1]);
  // cut, changed, of another place, and of a release that says more
  for (const other of [
    word.slice(0, -4),
    `${word.slice(0, -1)}!`,
    word.replace(".b", ".c"),
    "plan:1.3",
    "plan:1.3.x.y",
  ])
    expect(hintOf(other)).toMatchObject({ contextId: "plan", seq: 1 });
  for (const other of [word.slice(0, -4), "plan:1.3", "plan:1.3.x.y"]) expect(seqsIn(hintOf(other))).toBeUndefined();
});
