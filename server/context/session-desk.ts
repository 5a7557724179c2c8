/**
 * Open live sessions as admins of the server see to them: followed, and closed.
 *
 * Invariants (TAP):
 *  1. So many are followed at once and no more.
 *  2. Closing takes no right away: the client may come again.
 *
 * Not here: who may (guarded-sessions.ts), what is told of a frame (sync/session-tap.ts), the list (use-cases/monitoring.ts).
 */
import { ServiceError } from "../../shared/errors.ts";
import { LIMITS } from "../../shared/limits.ts";
import type { SessionStats } from "../../shared/monitoring.ts";
import type { FollowedSession } from "../../shared/traffic.ts";
import type { Clock } from "../clock.ts";
import { placesOf } from "../state/update/update-places.ts";
import type { LiveSessions, OpenSession } from "./live-sessions.ts";

export class SessionDesk {
  readonly #clock: Clock;
  readonly #sessions: Pick<LiveSessions, "find">;
  #followed = 0;

  constructor(clock: Clock, sessions: Pick<LiveSessions, "find">) {
    this.#clock = clock;
    this.#sessions = sessions;
  }

  /** @throws {ServiceError} SESSION_NOT_FOUND, RATE_LIMITED */
  follow(id: string, signal: AbortSignal): FollowedSession {
    signal.throwIfAborted();
    const { session, stats, doc } = this.#find(id);
    if (this.#followed >= LIMITS.sessionTapsMax) throw tooMany();
    this.#followed++;
    signal.addEventListener("abort", () => this.#followed--, { once: true });
    const nowMs = (): number => this.#clock.nowMs();
    return { stats, events: session.follow({ nowMs, placesOf: (update) => placesOf(doc, update) }, signal) };
  }

  /** Tells what it was. @throws {ServiceError} SESSION_NOT_FOUND */
  close(id: string): SessionStats {
    const { session, stats } = this.#find(id);
    session.end(new ServiceError("SESSION_CLOSED", "An admin of the server closed the session. Connect again."));
    return stats;
  }

  #find(id: string): OpenSession {
    const found = this.#sessions.find(id);
    if (found !== undefined) return found;
    throw new ServiceError(
      "SESSION_NOT_FOUND",
      "There is no live session with this id: it ended, or never was. GET /v1/sessions lists those there are.",
    );
  }
}

function tooMany(): ServiceError {
  return new ServiceError(
    "RATE_LIMITED",
    `The traffic of ${LIMITS.sessionTapsMax} sessions is followed already. Try again when somebody has stopped.`,
  );
}
