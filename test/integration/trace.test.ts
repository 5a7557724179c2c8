/**
 * Real editing histories through a real server that is killed on the way: what `npm run demo:trace` shows, in short.
 */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import * as Y from "yjs";
import { Desk, emptyBase, endContentOf, hasArrived } from "../demo/desk.ts";
import { inBatches, loadTrace } from "../demo/trace-file.ts";
import { replayTrace } from "../demo/trace-replay.ts";
import { ServerProcess } from "../support/server-process.ts";

describe("a trace through a server that is killed twice", () => {
  let dataDir = "";
  let server: ServerProcess;

  beforeEach(async () => {
    dataDir = await mkdtemp(join(tmpdir(), "mcm-trace-"));
    server = await ServerProcess.start({ dataDir });
  });

  afterEach(async () => {
    await server.kill();
    await rm(dataDir, { recursive: true, force: true });
  });

  // replayTrace throws when anyone ends in another text than the trace does
  test("friendsforever: two people at once, parents honoured", async () => {
    const trace = loadTrace("friendsforever", 1500);
    const { figures, content } = await replayTrace(trace, { server, crashes: 2 });
    expect(figures.acks.count + figures.acksAcrossCrash.count).toBe(1500);
    expect(figures.crashes).toBe(2);
    expect(content.length).toBeGreaterThan(500);
  });

  test("automerge-paper: one writer, ten edits a transaction", async () => {
    const trace = inBatches(loadTrace("automerge-paper", 10_000), 10);
    const { figures, content } = await replayTrace(trace, { server, crashes: 2 });
    expect(figures.acks.count + figures.acksAcrossCrash.count).toBe(1000);
    expect(content.length).toBeGreaterThan(1000);
  });
});

describe("the replay itself", () => {
  // endContentOf compares: it throws for a whole trace that ends elsewhere
  test.each([loadTrace("friendsforever"), inBatches(loadTrace("automerge-paper"), 50)])(
    "desks alone end in the endContent of $name",
    (trace) => {
      expect(trace.endContent).toBeDefined();
      expect(endContentOf(trace)).toBe(trace.endContent);
    },
  );

  test("a trace that says something else is found out", () => {
    const trace = loadTrace("friendsforever", 500);
    expect(() => endContentOf({ ...trace, endContent: "something else" })).toThrow("endContent");
  });

  test("a state is named by parents: what one has not seen moves no position", () => {
    const { txns } = loadTrace("friendsforever", 2500);
    const concurrent = txns.filter(({ seen }, index) => seen.reduce((sum, count) => sum + count, 0) < index);
    expect(concurrent.length).toBeGreaterThan(500);
  });

  test("a deletion has arrived when the characters are gone, not before", () => {
    const base = emptyBase();
    const desk = new Desk(base, 0);
    const typed = desk.write([[0, 0, "abc"]]);
    const deleted = desk.write([[1, 1, ""]]);
    const doc = new Y.Doc();
    const arrived = (): boolean[] => [typed, deleted].map((shipment) => hasArrived(doc, shipment));
    expect(arrived()).toEqual([false, false]);
    for (const update of [base, typed.update]) Y.applyUpdate(doc, update);
    expect(arrived()).toEqual([true, false]);
    Y.applyUpdate(doc, deleted.update);
    expect(arrived()).toEqual([true, true]);
  });
});
