/** The judge of fault runs sees what it is there for: each kind of violation, planted into a history without one. */
import { describe, expect, test } from "vitest";
import type { LogEntry } from "../../server/storage/change-log.ts";
import type { Actor } from "../../shared/ids.ts";
import type { LockEvent } from "../../shared/lock.ts";
import { entryOf, idOf } from "../support/log-fixtures.ts";
import { judge } from "../support/node-history-checks.ts";
import { NodeHistory } from "../support/node-history.ts";
import type { ReadRecord, WriteRecord } from "../support/node-history.ts";

const plan = idOf("plan");
const bob = "bob" as Actor;
const TTL_MS = 1000;

/** A log and what was said about it. Each step takes ten milliseconds. */
class Story {
  readonly entries: LogEntry[] = [];
  readonly history = new NodeHistory();
  nowMs = 0;
  version = 0;

  write(id: string, path = `/w/${id}`, more: Partial<WriteRecord> = {}): this {
    this.append({ paths: [path], message: id });
    const place = { seq: this.entries.length, version: this.version };
    this.history.wrote({ ...this.#step(id), outcome: { kind: "acknowledged", ...place }, ...more });
    return this;
  }

  refused(id: string, isFinal = true): this {
    this.history.wrote({ ...this.#step(id), outcome: { kind: "refused", isFinal } });
    return this;
  }

  read(more: Partial<ReadRecord> = {}): this {
    const members = this.entries.filter(({ paths }) => paths[0]?.startsWith("/w/")).length;
    const { beganMs, endedMs } = this.#step("");
    this.history.reads.push({ contextId: plan, beganMs, endedMs, version: this.version, members, ...more });
    return this;
  }

  lock(event: LockEvent, actor: Actor = bob): this {
    this.append({ kind: "lock", actor, paths: [], lock: event, atMs: this.nowMs });
    return this;
  }

  granted(lockId: string, path: string): this {
    const { beganMs, endedMs } = this.#step("");
    this.lock({ op: "acquire", lockId, paths: [path], mode: "exclusive", ttlMs: TTL_MS });
    const token = this.entries.length;
    this.history.grants.push({
      ...{ contextId: plan, lockId, token, ttlMs: TTL_MS, beganMs, endedMs },
      lastAskedAtMs: beganMs,
    });
    return this;
  }

  append(entry: Partial<LogEntry>): void {
    const { kind = "change" } = entry;
    if (kind === "change") this.version++;
    this.entries.push({ ...entryOf(0), kind, seq: this.entries.length + 1, version: this.version, ...entry });
  }

  get violations(): readonly string[] {
    return judge(plan, this.entries, this.history);
  }

  #step(id: string) {
    const beganMs = this.nowMs;
    this.nowMs += 10;
    return { contextId: plan, id, actor: "alice", beganMs, endedMs: beganMs + 5 };
  }
}

const story = (): Story => new Story();

test("a history in which all is well has no violation", () => {
  const well = story()
    .write("a")
    .read()
    .granted("l", "/n")
    .lock({ op: "renew", lockId: "l", ttlMs: TTL_MS })
    .refused("r")
    .lock({ op: "release", lockId: "l" })
    .write("b", "/n/a");
  expect(well.violations).toEqual([]);
});

describe("seen are", () => {
  test("a gap, and a version that is not the number of changes", () => {
    const gap = story().write("a").write("b");
    gap.entries.shift();
    expect(gap.violations).toContain("plan: position 2 stands where 1 belongs");
    expect(gap.violations).toContain("plan: position 2 has version 2, and is change 1");
  });

  test("a request that was carried out twice", () => {
    const twice = story().write("a");
    twice.append({ message: "a" });
    expect(twice.violations).toContain("plan: a is there twice, again at 2");
  });

  test("what was acknowledged and is lost, elsewhere, or was never asked for", () => {
    const lost = story().write("a").write("b");
    lost.entries.pop();
    expect(lost.violations).toEqual(["plan: b was acknowledged at 2 and is lost"]);
    const moved = story().write("a", "/w/a", { outcome: { kind: "acknowledged", seq: 7, version: 7 } });
    expect(moved.violations).toContain("plan: a was acknowledged at 7 as version 7, and stands at 1");
    const strange = story();
    strange.append({ message: "x" });
    expect(strange.violations).toEqual(["plan: nobody asked for x"]);
  });

  test("what was refused and is there, unless an earlier try of it may have been let in", () => {
    const refused = story().refused("a");
    refused.append({ message: "a" });
    expect(refused.violations).toEqual(["plan: a was refused, and stands at 1"]);
    const earlier = story().refused("a", false);
    earlier.append({ message: "a" });
    expect(earlier.violations).toEqual([]);
  });

  test("holders that overlap", () => {
    const both = story().granted("l", "/n").granted("k", "/n/a");
    expect(both.violations).toEqual(["plan: the lock of /n/a at 2 overlaps one that is held"]);
  });

  test("writes where somebody has a lock, and under one that is over", () => {
    const barred = story().granted("l", "/n").write("a", "/n/a");
    expect(barred.violations).toEqual(["plan: a at 2 was allowed; its place says LOCKED"]);
    const stale = story().granted("l", "/n").lock({ op: "release", lockId: "l" }).write("a", "/n/a", { token: 1 });
    expect(stale.violations).toEqual(["plan: a at 3 was allowed; its place says FENCE_STALE"]);
  });

  test("a lock that ends before its time, is not there, or is ended by nobody who has it", () => {
    const early = story().granted("l", "/n");
    early.lock({ op: "expire", lockId: "l" });
    expect(early.violations).toEqual(["plan: the lock l ended 10 ms after it was renewed for 1000"]);
    const gone = story().granted("l", "/n");
    gone.entries.pop();
    expect(gone.violations).toEqual(["plan: the lock l was granted at 1, and is not there"]);
    const nobody = story().lock({ op: "release", lockId: "l" });
    expect(nobody.violations).toEqual(["plan: release at 1 of a lock that nobody holds"]);
  });

  test("an order that is not that of time", () => {
    const late = story().write("a", "/w/a", { beganMs: 100, endedMs: 110 }).write("b", "/w/b", { endedMs: 50 });
    expect(late.violations).toEqual([
      "plan: what stands at 2 was answered before something that stands before it began",
    ]);
  });

  test("reads that are old, ahead of time, or of another content", () => {
    expect(story().write("a").write("b").read({ version: 1, members: 1 }).violations).toEqual([
      "plan: a read saw version 1 when 2 had been acknowledged",
    ]);
    expect(story().read({ version: 1, members: 1 }).write("a").violations).toEqual([
      "plan: a read saw version 1 before that was written",
    ]);
    expect(story().write("a").read({ members: 2 }).violations).toEqual([
      "plan: a read of version 1 had 2 members, it has 1",
    ]);
  });
});
