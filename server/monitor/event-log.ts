/**
 * What is worth a line in the log of what happens: the life of contexts, refusals, sessions, conflicts, slow work.
 *
 *   info    a context was created, deleted, restored, compacted …; sessions come and go; a write was refused; a conflict
 *   warn    an operation took longer than SLOW_MS
 *   debug   every other operation, every turn of changes, contexts that enter and leave the memory
 *
 * Invariant (LOGGER): every line names what it knows of context, actor, session and request; none holds content.
 *
 * Not here: failures (whoever meets one logs it with its error), alerts and the performance line (context-monitor.ts).
 */
import type {
  EndedSession,
  FoundConflict,
  LeftContext,
  LoadedContext,
  OpenedSession,
  Operated,
  RefusedWrite,
  SettledTurn,
} from "../monitor-port.ts";
import type { LogFields, Logger } from "./logger.ts";

/** Use cases that change what there is, apart from the data itself. */
const LIFE = new Set([
  "create",
  "delete",
  "history.restore",
  "history.undo",
  "history.nameCheckpoint",
  "history.forgetCheckpoint",
  "history.compact",
  "conflicts.resolve",
  "data.import",
  "types.put",
  "types.delete",
]);

const SLOW_MS = 1000;
/** They wait because they are asked to, or last as long as there is much to tell. */
const MAY_WAIT = new Set(["locks.acquire", "data.backup"]);

export class EventLog {
  readonly #logger: Logger;

  constructor(logger: Logger) {
    this.#logger = logger;
  }

  operated(operated: Operated): void {
    const { operation, durationMs, code } = operated;
    const fields = timed(operated);
    if (durationMs >= SLOW_MS && !MAY_WAIT.has(operation)) this.#logger.warn("slow operation", fields);
    if (code === undefined && LIFE.has(operation)) this.#logger.info("context event", fields);
    else this.#logger.debug("operation", fields);
  }

  settled({ counts, ...turn }: SettledTurn): void {
    this.#logger.debug("changes", timed({ ...turn, ...counts }));
  }

  refused(write: RefusedWrite): void {
    this.#logger.info("write refused", { ...write });
  }

  conflicted(conflict: FoundConflict): void {
    this.#logger.info("conflict", { ...conflict });
  }

  contextLoaded(context: LoadedContext): void {
    this.#logger.debug("context loaded", { ...context });
  }

  contextLeft(context: LeftContext): void {
    this.#logger.debug("context left the memory", { ...context });
  }

  sessionOpened(session: OpenedSession): void {
    this.#logger.info("session opened", { ...session });
  }

  sessionEnded({ traffic, ...session }: EndedSession): void {
    this.#logger.info("session ended", timed({ ...session, ...traffic }));
  }

  fellBehind(session: OpenedSession): void {
    this.#logger.info("a receiver does not keep up", { ...session });
  }
}

/** Microseconds are more than a reader needs. */
function timed(fields: { readonly durationMs: number }): LogFields {
  return { ...fields, durationMs: Math.round(fields.durationMs * 1000) / 1000 };
}
