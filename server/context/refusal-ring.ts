/**
 * The writes that were refused lately, for people who look for a cause.
 *
 * Invariants (REFUSE):
 *  1. What is told is who, where and why; nothing of what would have been written.
 *  2. It is bounded, each context's share too, and in memory: what must be kept is in the audit log.
 *
 * Not here: refusing.
 */
import type { ErrorCode, ServiceError } from "../../shared/errors.ts";
import type { ContextId } from "../../shared/ids.ts";
import { isJsonObject } from "../../shared/json.ts";
import { LIMITS } from "../../shared/limits.ts";
import type { Refusal } from "../../shared/refusal.ts";
import type { Clock } from "../clock.ts";
import type { Caller } from "../context-service.ts";

type Details = ServiceError["details"];

/** Of a write or a lock. What else goes wrong is no refusal: the server's trouble, or a question about what is not there. */
const CODES: ReadonlySet<ErrorCode> = new Set<ErrorCode>([
  "FORBIDDEN",
  "LOCKED",
  "FENCE_STALE",
  "SCHEMA_VIOLATION",
  "VERSION_CONFLICT",
  "INVALID_CHANGE",
  "PATH_NOT_FOUND",
  "TEST_FAILED",
  "TEXT_NOT_FOUND",
  "TEXT_AMBIGUOUS",
  "TOO_LARGE",
  "LIMIT_EXCEEDED",
]);

export class RefusalRing {
  readonly #clock: Pick<Clock, "nowMs">;
  /** In order of time; the context used last comes last. */
  readonly #rings = new Map<ContextId, Refusal[]>();
  #lastId = 0;

  constructor(clock: Pick<Clock, "nowMs">) {
    this.#clock = clock;
  }

  record({ identity, origin }: Caller, contextId: ContextId, { code, details }: ServiceError): void {
    if (!CODES.has(code)) return;
    const ring = this.#rings.get(contextId) ?? [];
    const { rule } = details;
    const by = whoOf(details);
    ring.push({
      id: ++this.#lastId,
      atMs: this.#clock.nowMs(),
      actor: identity.actor,
      origin,
      code,
      paths: pathsOf(details),
      ...(typeof rule === "string" ? { rule } : {}),
      ...(by === undefined ? {} : { by }),
    });
    if (ring.length > LIMITS.refusalsMax) ring.shift();
    this.#rings.delete(contextId);
    this.#rings.set(contextId, ring);
    for (const oldest of this.#rings.keys()) {
      if (this.#rings.size <= LIMITS.refusalContextsMax) break;
      this.#rings.delete(oldest);
    }
  }

  /** Newest first. `sinceMs`: when the context was made; one of the same id may have been deleted at another node. */
  list(contextId: ContextId, sinceMs = 0): readonly Refusal[] {
    return (this.#rings.get(contextId) ?? []).filter(({ atMs }) => atMs >= sinceMs).toReversed();
  }

  /** Its refusals are nobody's business any more: another context may get its id. */
  forget(contextId: ContextId): void {
    this.#rings.delete(contextId);
  }
}

/** The places that the error's details name, each once, a bounded number. */
function pathsOf({ path, paths, violations }: Details): readonly string[] {
  const named = [
    path,
    ...listOf(paths),
    ...listOf(violations).map((it) => (isJsonObject(it) ? it["path"] : undefined)),
  ];
  const texts = named.filter((it): it is string => typeof it === "string");
  return [...new Set(texts)].slice(0, LIMITS.auditPathsMax);
}

function listOf(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}

function whoOf({ holder, changedBy }: Details): string | undefined {
  if (typeof holder === "string") return holder;
  const actor = isJsonObject(changedBy) ? changedBy["actor"] : undefined;
  return typeof actor === "string" ? actor : undefined;
}
