/** Folding a log into a checkpoint, and when that is due. */
import { afterAll, describe, expect, test } from "vitest";
import * as Y from "yjs";
import { LIMITS } from "../../shared/limits.ts";
import {
  InlineCheckpointBuilder,
  isCheckpointDue,
  type CheckpointBuilder,
} from "../../server/storage/checkpoint/checkpoint.ts";
import { authorIdOf } from "../../server/state/author-id.ts";
import type { FoldEntry } from "../../server/state/document-fold.ts";
import { CheckpointPool } from "../../server/storage/checkpoint/checkpoint-pool.ts";
import { alice, bob, emptyCheckpoint, epochOf, SALT, Typist } from "../support/log-fixtures.ts";

const NODE = 77;
const AUTHOR = authorIdOf(NODE, { authorSalt: SALT });
const pool = new CheckpointPool();
afterAll(() => pool.close());

/** Two writers and the node itself, each seeing what the others did before. */
function someLog(): FoldEntry[] {
  const typists = [new Typist(1), new Typist(2), new Typist(AUTHOR), new Typist(3)];
  const actors = [alice, bob, bob, alice];
  return Array.from({ length: 40 }, (_, n) => {
    const [typist, actor] = [typists[n % 4], actors[n % 4]];
    if (typist === undefined || actor === undefined) throw new Error("no typist");
    const { update } = typist.type(`${n} `, actor);
    for (const other of typists) if (other !== typist) other.receive(update);
    return { kind: "change", seq: n + 1, version: n + 1, actor, atMs: n, update };
  });
}

function textOf(state: Uint8Array): string {
  const doc = new Y.Doc();
  Y.applyUpdateV2(doc, state);
  return doc.getText("text").toJSON();
}

const builders: [string, CheckpointBuilder][] = [
  ["on the caller's thread", new InlineCheckpointBuilder()],
  ["on a worker", pool],
];

describe.each(builders)("%s", (_, builder) => {
  test("[CKPT-1] a checkpoint at every place equals the log up to there, whatever it is built on", async () => {
    const log = someLog();
    const whole = await builder.build({ base: emptyCheckpoint(), tail: log, nodeClientId: NODE });
    expect(whole).toMatchObject({ seq: 40, version: 40 });
    expect(textOf(whole.state).split(" ")).toHaveLength(41);
    for (const cut of [1, 7, 39]) {
      const base = await builder.build({ base: emptyCheckpoint(), tail: log.slice(0, cut), nodeClientId: NODE });
      expect(base.seq).toBe(cut);
      const later = await builder.build({ base, tail: log.slice(cut), nodeClientId: NODE });
      expect(Buffer.from(later.state).equals(whole.state)).toBe(true);
      expect(new Map(later.owners)).toEqual(new Map(whole.owners));
    }
  });

  test("[CKPT-2] a client id belongs to whoever wrote under it first; the node's own to nobody", async () => {
    const { owners } = await builder.build({
      base: { ...emptyCheckpoint(), owners: [[1, bob]] },
      tail: someLog(),
      nodeClientId: NODE,
    });
    expect(new Map(owners)).toEqual(
      new Map([
        [1, bob],
        [2, bob],
        [3, alice],
      ]),
    );
  });

  test("[CKPT-6] an epoch begins a new document and retires the ids of the old one, from whatever checkpoint one folds", async () => {
    const old = someLog();
    const server = new Typist(authorIdOf(NODE, { authorSalt: 99 }));
    server.type("new ");
    const epoch: FoldEntry = {
      ...epochOf(41, 99, { update: Y.encodeStateAsUpdate(server.doc) }),
      seq: 41,
      version: 40,
    };
    const later = new Typist(4);
    later.receive(epoch.update);
    const { update } = later.type("document", bob);
    server.receive(update);
    const log: FoldEntry[] = [
      ...old,
      epoch,
      { kind: "change", seq: 42, version: 41, actor: bob, atMs: 0, update },
      { kind: "change", seq: 43, version: 42, actor: alice, atMs: 0, update: server.type("!").update },
    ];
    const whole = await builder.build({ base: emptyCheckpoint(), tail: log, nodeClientId: NODE });
    expect(whole).toMatchObject({ seq: 43, version: 42, authorSalt: 99, owners: [[4, bob]], firstEpoch: 1 });
    expect(new Set(whole.retired)).toEqual(new Set([1, 2, 3, AUTHOR]));
    expect(textOf(whole.state)).toBe("new document!");
    for (const cut of [3, 40, 41, 42]) {
      const base = await builder.build({ base: emptyCheckpoint(), tail: log.slice(0, cut), nodeClientId: NODE });
      expect(await builder.build({ base, tail: log.slice(cut), nodeClientId: NODE })).toEqual(whole);
    }
  });

  test("[CKPT-3] a log that refers to what it does not have is no checkpoint", async () => {
    const tail = someLog().slice(3);
    await expect(builder.build({ base: emptyCheckpoint(), tail, nodeClientId: NODE })).rejects.toThrow(/does not have/);
  });

  test("[CKPT-3] an update whose buffer is shared is left as it is", async () => {
    const [entry] = someLog();
    if (entry === undefined) throw new Error("no entry");
    const shared = new Uint8Array(entry.update.length + 10);
    shared.set(entry.update, 5);
    const update = shared.subarray(5, 5 + entry.update.length);
    const built = await builder.build({ base: emptyCheckpoint(), tail: [{ ...entry, update }], nodeClientId: NODE });
    expect(textOf(built.state)).toBe("0 ");
    expect(update.length).toBe(entry.update.length);
  });
});

test("[CKPT-4] a checkpoint is due by entries or bytes, later when the state itself is large", () => {
  const { checkpointTailEntries: entries, checkpointTailBytes: bytes } = LIMITS;
  const due = (tail: Partial<Parameters<typeof isCheckpointDue>[0]>): boolean =>
    isCheckpointDue({ entries: 1, bytes: 1, checkpointBytes: 0, ...tail }, LIMITS);
  expect(due({})).toBe(false);
  expect(due({ entries: entries - 1 })).toBe(false);
  expect(due({ entries })).toBe(true);
  expect(due({ bytes: bytes - 1 })).toBe(false);
  expect(due({ bytes })).toBe(true);
  const checkpointBytes = 10 * 1024 * 1024;
  expect(due({ bytes, checkpointBytes })).toBe(false);
  expect(due({ bytes: checkpointBytes, checkpointBytes })).toBe(true);
  expect(due({ entries, checkpointBytes })).toBe(false);
  expect(due({ entries: 20_480, checkpointBytes })).toBe(true);
});
