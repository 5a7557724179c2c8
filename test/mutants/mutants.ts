/**
 * Mistakes that many nodes over one engine would not survive, and the test that must notice each.
 *
 * Not here: how they are planted and run (main.ts).
 */

export interface Mutant {
  readonly name: string;
  readonly file: string;
  /** Stands there exactly once. */
  readonly text: string;
  readonly instead: string;
  readonly test: { readonly layer: string; readonly file: string; readonly title: string };
  /** Its test takes a second or two: it is planted in every run of all tests. */
  readonly isQuick?: true;
}

const STORE = "server/storage/postgres/postgres-store.ts";
const CORE = "server/storage/postgres/shared-core.ts";

const turns = (title: string) => ({ layer: "contract", file: "test/contract/shared-log.test.ts", title });
const replicated = (title: string) => ({ layer: "contract", file: "test/contract/replicated-log.test.ts", title });
const rolls = (title: string) => ({ layer: "unit", file: "test/unit/roll-call.test.ts", title });
const following = (title: string) => ({ layer: "unit", file: "test/unit/follower.test.ts", title });

export const MUTANTS: readonly Mutant[] = [
  {
    name: "turns without locks",
    file: "server/storage/postgres/transaction-beginning.ts",
    text: "const locks = [...new Set(locked.locks)].sort();",
    instead: "const locks = locked.locks.slice(0, 0);",
    test: turns("turns of both at the same time"),
  },
  {
    name: "turns without news",
    file: CORE,
    text: "entries: seq < stored.head.seq ? await reader.entriesAfter(view, context, { seq, limit: Infinity }) : [],",
    instead: "entries: [],",
    test: turns("a turn learns first of all that others appended"),
    isQuick: true,
  },
  {
    name: "no look for what was answered elsewhere",
    file: CORE,
    text: "answered: answered.filter((record) => record !== undefined),",
    instead: "answered: [],",
    test: turns("a turn learns which of its requests were answered meanwhile"),
  },
  {
    name: "client ids of others are not claimed",
    file: "server/state/context-state.ts",
    text: "    this.clientIds.claimed(advances, actor);\n    this.size.grew(",
    instead: "    this.size.grew(",
    test: { layer: "property", file: "test/property/absorb.test.ts", title: "is the one that is loaded" },
  },
  {
    name: "renewals that no log has",
    file: "server/state/context-state.ts",
    text: "new LockDesk(fold.locks.list(), monotonicMs, nodeSlot !== undefined)",
    instead: "new LockDesk(fold.locks.list(), monotonicMs, nodeSlot === -1)",
    test: following("a renewal is an entry that all of them read"),
  },
  {
    name: "locks that end whoever renewed them",
    file: "server/state/locks/lock-desk.ts",
    text: 'if (event.op === "expire") return this.#isOverdue(lockId, nowMs) ? event : undefined;',
    instead: 'if (event.op === "expire") return this.table.get(lockId) === undefined ? undefined : event;',
    test: following("an end that is due here is none"),
  },
  {
    name: "only hints, no comparing of heads",
    file: "server/context/follower.ts",
    text: "if (head !== undefined && head <= context.state.seq) continue;",
    instead: "if (head !== undefined) continue;",
    test: following("a hint that was lost"),
    isQuick: true,
  },
  {
    name: "entries of a hint that leave a gap",
    file: "server/context/follower.ts",
    text: "return next?.seq === live.state.seq + 1 && this.absorb(live, brought);",
    instead: "return next !== undefined && this.absorb(live, brought);",
    test: following("entries that come with a hint"),
  },
  {
    name: "entries of a hint about another context of that id",
    file: "server/context/follower.ts",
    text: "if (brought === undefined || brought.meta.firstEpoch !== live.meta.firstEpoch) return false;",
    instead: "if (brought === undefined) return false;",
    test: following("nor are entries of another context"),
  },
  {
    name: "contexts that keep the client ids of a place that was lost",
    file: "server/context/follower.ts",
    text: "for (const live of [...state.live()]) drop(live, reloading());",
    instead: "void state;",
    test: following("a server that lost its place"),
  },
  {
    name: "a place is waited for, whoever has it",
    file: STORE,
    text: "if (isLockRefusal(error)) return false;\n    throw error;",
    instead: "throw error;",
    test: turns("who finds its place taken"),
  },
  {
    name: "an engine that was started anew is believed",
    file: "server/storage/log/log-layout.ts",
    text: "  await store.batch(ops, { sync: true });",
    instead: "  if (found === undefined) await store.batch(ops, { sync: true });",
    test: replicated("an engine that was started anew"),
  },
  {
    name: "connections of two starts of the engine are mixed",
    file: STORE,
    text: "if (startIn(start) !== this.#startedAt) throw",
    instead: 'if (startIn(start) === "") throw',
    test: replicated("an engine that was started anew"),
  },
  {
    name: "a cancelled wait for the standby is a commit",
    file: STORE,
    text: 'if (message.includes("synchronous replication")) this.#isUnsafe = true;',
    instead: "void message;",
    test: replicated("a wait for the standby that somebody cancels"),
  },
  {
    name: "answers before the commit",
    file: STORE,
    text: 'await Promise.all([...writeOps(writer, ops), writer.query("COMMIT")]);',
    instead: 'await Promise.all(writeOps(writer, ops)); void writer.query("COMMIT").catch(() => undefined);',
    test: replicated("nor is one whose connection somebody ends"),
  },
  {
    name: "commits that wait for nobody, as the database is set",
    file: STORE,
    text: "await writer.query(WAIT_FOR_STANDBYS);",
    instead: "void WAIT_FOR_STANDBYS;",
    test: replicated("whatever the database is set to"),
  },
  {
    name: "a standby is taken",
    file: STORE,
    text: 'if (isStandby !== "false") throw',
    instead: "if (isStandby === undefined) throw",
    test: replicated("a standby is refused"),
  },
  {
    name: "an opening that came to nothing has the place",
    file: STORE,
    text: "      this.#slot = slot;\n",
    instead: "      this.#slot = this.#home = slot;\n",
    test: turns("an opening that comes to nothing does not cost the place"),
  },
  {
    name: "old reads condemn a log that was opened again",
    file: CORE,
    text: "error instanceof EngineLost && this.#commit === commit",
    instead: "error instanceof EngineLost && commit !== undefined",
    test: turns("a read that is cut off after the log was opened again"),
  },
  {
    name: "reads that wait for others condemn the log",
    file: STORE,
    text: "throw areAllAtWork ? busyError() : error;",
    instead: "throw areAllAtWork ? error : busyError();",
    test: turns("who waits too long for others that read"),
  },
  {
    name: "a node that dies without a goodbye is no gap",
    file: "server/storage/postgres/lines/roll-call.ts",
    text: "if (lost.length > 0) this.#gap();",
    instead: "void lost;",
    test: rolls("a node that is gone without a goodbye"),
  },
  {
    name: "a node whose line was lost does not say so",
    file: "server/storage/postgres/lines/roll-call.ts",
    text: "if (this.#line.rejoins > 0) this.untold();",
    instead: "",
    test: rolls("a line that was lost is a gap"),
  },
  {
    name: "the first answer for all",
    file: "server/storage/postgres/lines/questions.ts",
    text: "if (open.left.size === 0) open.end();",
    instead: "open.end();",
    test: { layer: "unit", file: "test/unit/questions.test.ts", title: "all others answer" },
  },
  {
    name: "a goodbye before the last hint",
    file: "server/storage/postgres/lines/hint-line.ts",
    text: "line.onLeaving(async () => this.#sending);",
    instead: "",
    test: rolls("a node says goodbye when"),
  },
  {
    name: "refused writes of a context that another node deleted",
    file: "server/context/refusal-ring.ts",
    text: "filter(({ atMs }) => atMs >= sinceMs)",
    instead: "filter(({ atMs }) => atMs + sinceMs >= 0)",
    test: {
      layer: "unit",
      file: "test/unit/refusal-ring.test.ts",
      title: "as it may have been deleted at another node",
    },
  },
];
