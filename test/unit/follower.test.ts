/** What another server appended, and the contexts in memory that follow it. */
import { describe, expect, test } from "vitest";
import { Follower } from "../../server/context/follower.ts";
import { LiveContext } from "../../server/state/state-manager.ts";
import type { PendingWrite } from "../../server/context/write-path.ts";
import type { ServiceError } from "../../shared/errors.ts";
import type { ContextId } from "../../shared/ids.ts";
import { LIMITS } from "../../shared/limits.ts";
import { EngineCounts } from "../../server/monitor/metrics/engine-counts.ts";
import { RecordingLogger } from "../support/recording-logger.ts";
import type { Hint, LogEntry, StoredSummary } from "../../server/storage/change-log.ts";
import { SyncManager } from "../../server/sync/sync-manager.ts";
import { admittedOf, at, stateFrom, storedContext, withTail } from "../support/stored-state.ts";
import { ManualClock } from "../support/manual-clock.ts";
import { turns } from "../support/service-rig.ts";
import { ANONYMOUS } from "../../shared/ids.ts";

const CONTEXT = storedContext({ n: 0 });

/** Entries that raise n, from position 1 on. */
function raised(count: number): readonly LogEntry[] {
  const state = stateFrom(CONTEXT);
  const writes = Array.from({ length: count }, (_, n) => ({
    kind: "ops" as const,
    actor: ANONYMOUS,
    origin: "rest" as const,
    ops: [{ op: "replace" as const, path: "/n", value: n + 1 }],
  }));
  return withTail(CONTEXT, admittedOf(state.admit(writes, at(0)))).tail;
}

class Rig {
  readonly clock = new ManualClock();
  readonly live = new LiveContext<PendingWrite>(CONTEXT.meta, stateFrom(CONTEXT), 0);
  readonly dropped: string[] = [];
  readonly told: string[] = [];
  log: readonly LogEntry[] = [];
  base = 0;
  /** How often the log was asked how far it is. */
  asked = 0;
  summary: () => Promise<StoredSummary | undefined> = async () => {
    const last = this.log.at(-1);
    const head = { ...CONTEXT.head, seq: last?.seq ?? 0, version: last?.version ?? 0 };
    return { meta: CONTEXT.meta, head };
  };
  /** What the log says of all heads. */
  heads: () => Promise<ReadonlyMap<ContextId, number>> = async () =>
    new Map([[this.live.id, this.log.at(-1)?.seq ?? 0]]);
  hint: (hint: Hint) => void = () => undefined;
  recovered: () => void = () => undefined;
  nodeSlot = 3;
  readonly ended: string[] = [];
  readonly counts = new EngineCounts();
  readonly follower: Follower;

  constructor() {
    const drop = (live: LiveContext<PendingWrite>, error: { readonly code: string }): void => {
      live.droppedBy ??= error as LiveContext["droppedBy"];
      this.dropped.push(error.code);
    };
    const nodeSlot = (): number => this.nodeSlot;
    this.follower = new Follower({
      clock: this.clock,
      storage: {
        isShared: true,
        get nodeSlot() {
          return nodeSlot();
        },
        news: async (_id: unknown, after: number) => {
          this.asked++;
          const entries = this.log.filter(({ seq }) => seq > Math.max(after, this.base));
          const now = await this.summary();
          return now === undefined ? undefined : { ...now, entries };
        },
        heads: () => this.heads(),
        onHint: (listener: Rig["hint"]) => (this.hint = listener),
        onRecovered: (listener: () => void) => (this.recovered = listener),
        listRecords: async () => [],
      },
      sync: Object.assign(new SyncManager(this.clock), {
        endEverything: ({ code }: ServiceError) => void this.ended.push(`sessions ${code}`),
      }),
      logger: new RecordingLogger(),
      monitor: { engine: this.counts },
      state: { get: () => this.live, live: () => [this.live], drop },
      events: {
        emit: (_meta: unknown, kind: string) => void this.told.push(kind),
        close: ({ code }: ServiceError) => void this.ended.push(`events ${code}`),
      },
      locks: { changed: () => undefined },
      meta: { changed: () => undefined },
      readers: { changed: () => undefined },
      drop,
    } as unknown as ConstructorParameters<typeof Follower>[0]);
  }

  /** Word of an append comes, and the entries with it. */
  tell(seq: number, entries?: readonly LogEntry[], meta = CONTEXT.meta): void {
    this.hint({ contextId: this.live.id, seq, brought: () => entries && { meta, entries } });
  }

  /** A second passes, and what looks is answered. */
  async second(): Promise<void> {
    this.clock.advance(LIMITS.headsEveryMs);
    await turns();
  }

  async seconds(count: number): Promise<void> {
    for (let n = 0; n < count; n++) await this.second();
  }
}

const CUT_OFF_S = LIMITS.engineSilentMs / LIMITS.headsEveryMs;
const ALL = ["sessions STORE_UNAVAILABLE", "events STORE_UNAVAILABLE"];

test("[NODE-3] entries are taken in once, in order, and told when they are", async () => {
  const rig = new Rig();
  rig.log = raised(3);
  expect(rig.follower.absorb(rig.live, { meta: CONTEXT.meta, entries: rig.log.slice(0, 2) })).toBe(true);
  expect(rig.follower.absorb(rig.live, { meta: CONTEXT.meta, entries: rig.log })).toBe(true);
  await rig.live.durable;
  expect([rig.live.state.seq, rig.live.state.version, rig.told]).toEqual([3, 3, ["changed", "changed"]]);
});

test("[NODE-3] a context whose next entry is not to be had any more is loaded again, not patched", async () => {
  const rig = new Rig();
  rig.log = raised(3);
  expect(rig.follower.absorb(rig.live, { meta: CONTEXT.meta, entries: rig.log.slice(1) })).toBe(false);
  const behind = new Rig();
  behind.log = rig.log;
  behind.base = 3;
  await expect(behind.follower.freshen(behind.live)).rejects.toMatchObject({ code: "STORE_UNAVAILABLE" });
  expect([rig.dropped, behind.dropped]).toEqual([["STORE_UNAVAILABLE"], ["STORE_UNAVAILABLE"]]);
  expect([rig.live.state.seq, behind.live.state.seq]).toEqual([0, 0]);
});

test("[NODE-4] another context under the same id is not taken for this one", () => {
  const rig = new Rig();
  const meta = { ...CONTEXT.meta, epoch: 2, firstEpoch: 2 };
  expect(rig.follower.absorb(rig.live, { meta, entries: [] })).toBe(false);
  expect(rig.dropped).toEqual(["CONTEXT_NOT_FOUND"]);
});

test("[NODE-2] who asks while the log is being looked at waits for a look that began after", async () => {
  const rig = new Rig();
  let answer: (() => void) | undefined;
  const present = rig.summary;
  const before = await present();
  rig.summary = () => new Promise((resolve) => (answer = () => resolve(before)));
  const first = rig.follower.freshen(rig.live);
  const others = [rig.follower.freshen(rig.live), rig.follower.freshen(rig.live)];
  rig.log = raised(2);
  rig.summary = present;
  answer?.();
  await Promise.all([first, ...others]);
  expect([rig.asked, rig.live.state.seq]).toEqual([2, 2]);
});

test("[NODE-1] a hint that was lost: what others appended is found by comparing heads", async () => {
  const rig = new Rig();
  rig.follower.start();
  rig.log = raised(2);
  rig.clock.advance(LIMITS.headsEveryMs);
  await expect.poll(() => rig.live.state.seq).toBe(2);
  rig.follower.stop();
});

test("[NODE-3] entries that come with a hint are taken in unread where they are the next ones", async () => {
  const rig = new Rig();
  rig.log = raised(5);
  rig.tell(2, rig.log.slice(0, 2));
  // late, and of which one is known
  rig.tell(2, rig.log.slice(0, 2));
  rig.tell(3, rig.log.slice(1, 3));
  await turns();
  expect([rig.live.state.seq, rig.told, rig.asked]).toEqual([3, ["changed", "changed"], 0]);
  // the fourth is missing
  rig.tell(5, rig.log.slice(4));
  expect([rig.live.state.seq, rig.asked]).toEqual([3, 1]);
  await turns();
  expect([rig.live.state.seq, rig.asked, rig.dropped]).toEqual([5, 1, []]);
});

test("[NODE-4] nor are entries of another context under the same id, that came late or early: the log says what it is", async () => {
  const rig = new Rig();
  rig.log = raised(1);
  rig.tell(1, rig.log, { ...CONTEXT.meta, firstEpoch: 2 });
  expect([rig.live.state.seq, rig.asked]).toEqual([0, 1]);
  await turns();
  expect([rig.live.state.seq, rig.dropped]).toEqual([1, []]);
});

describe("[NODE-5] where others count the time of a lock too", () => {
  const lockId = "6ba7b810-9dad-41d1-80b4-00c04fd430c8";
  const by = { kind: "lock", actor: ANONYMOUS, origin: "rest" } as const;
  const acquire = { ...by, event: { op: "acquire", lockId, paths: ["/n"], mode: "exclusive", ttlMs: 1000 } } as const;
  const renew = { ...by, event: { op: "renew", lockId, ttlMs: 1000 } } as const;

  test("a renewal is an entry that all of them read", () => {
    const [alone, shared] = [stateFrom(CONTEXT), stateFrom(CONTEXT, { nodeSlot: 0 })];
    const kinds = [alone, shared].map((state) => state.admit([acquire, renew], at(0)).map(({ kind }) => kind));
    expect(kinds).toEqual([
      ["admitted", "unchanged"],
      ["admitted", "admitted"],
    ]);
  });

  test("an end that is due here is none when another one renewed it before the turn", () => {
    const [here, there] = [0, 1].map((nodeSlot) => stateFrom(CONTEXT, { nodeSlot }));
    const { tail } = withTail(CONTEXT, admittedOf(there?.admit([acquire, renew], at(900)) ?? []));
    for (const [index, entry] of tail.entries()) here?.absorb(entry, { monotonicMs: 900 * index });
    const expire = { ...by, event: { op: "expire", lockId } } as const;
    expect([1000, 1900].map((ms) => here?.admit([expire], at(ms))[0]?.kind)).toEqual(["unchanged", "admitted"]);
  });
});

test("[NODE-32] a server that lost its place to another loads its contexts again, under the ids of its new one", () => {
  const rig = new Rig();
  rig.follower.start();
  rig.recovered();
  expect(rig.dropped).toEqual([]);
  rig.nodeSlot = 5;
  rig.recovered();
  expect(rig.dropped).toEqual(["STORE_UNAVAILABLE"]);
  rig.recovered();
  expect(rig.dropped).toHaveLength(1);
  rig.follower.stop();
});

test.each<[string, Rig["heads"]]>([
  ["refuses", () => Promise.reject(new Error("gone"))],
  ["says nothing", () => new Promise(() => undefined)],
])(
  "[NODE-18] a log that %s for as long as it may, and no longer, ends all sessions and feeds until it answers",
  async (_how, silence) => {
    const rig = new Rig();
    const there = rig.heads;
    rig.follower.start();
    await rig.seconds(2);
    let answer = (): void => undefined;
    rig.heads = () =>
      Promise.race([silence(), new Promise<never>((_, reject) => (answer = () => reject(new Error("late"))))]);
    await rig.seconds(CUT_OFF_S - 1);
    expect(rig.ended).toEqual([]);
    rig.follower.assertFresh();
    await rig.second();
    expect(rig.ended).toEqual(ALL);
    expect(() => rig.follower.assertFresh()).toThrow(expect.objectContaining({ code: "STORE_UNAVAILABLE" }));
    // what began before it knew is ended as well
    await rig.second();
    expect(rig.ended).toEqual([...ALL, ...ALL]);
    rig.heads = there;
    answer();
    await turns();
    await rig.seconds(2);
    rig.follower.assertFresh();
    rig.ended.length = 0;
    await rig.seconds(CUT_OFF_S + 2);
    expect(rig.ended).toEqual([]);
    rig.heads = silence;
    await rig.seconds(CUT_OFF_S + 2);
    expect(rig.ended).not.toEqual([]);
    // a log that was opened again has answered
    rig.recovered();
    rig.follower.assertFresh();
    rig.follower.stop();
    await turns();
    expect(rig.clock.timerCount).toBe(0);
  },
);

test("[MON-11] a hint is lost when a look found its news and nobody told, before or after", async () => {
  const rig = new Rig();
  const { hints } = rig.counts;
  rig.follower.start();
  // told before the look, while it is still being read
  let read = (): void => undefined;
  const { summary } = rig;
  rig.log = raised(1);
  rig.summary = () => new Promise((resolve) => (read = () => resolve(summary())));
  rig.tell(1);
  await rig.seconds(2);
  rig.summary = summary;
  read();
  await turns();
  expect([rig.live.state.seq, hints.lost]).toEqual([1, 0]);
  // told after the look
  rig.log = raised(2);
  await rig.second();
  rig.tell(2);
  await rig.seconds(2);
  expect([rig.live.state.seq, hints.lost]).toEqual([2, 0]);
  // never told
  rig.log = raised(3);
  await rig.seconds(4);
  expect([rig.live.state.seq, hints.lost, rig.counts.entriesFollowed]).toEqual([3, 1, 3]);
  rig.follower.stop();
});
