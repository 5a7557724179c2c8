/**
 * The service as callers see it, with a watch on it: every use case tells the monitor how long it took and how it ended.
 *
 * Invariants (MON):
 *  1. Every method that answers later is measured under its name, and under its group's (`locks.acquire`), also one that is
 *     added after this was written. One that answers at once is no use case.
 *  2. What is answered and thrown is what the service answers and throws.
 *
 * Not here: what is counted (server/monitor).
 */
import { toServiceError } from "../../shared/errors.ts";
import type { ErrorCode } from "../../shared/errors.ts";
import type { Clock } from "../clock.ts";
import type { Caller } from "../context-service.ts";
import type { Monitor } from "../monitor-port.ts";

interface Watch {
  readonly clock: Pick<Clock, "monotonicMs">;
  readonly monitor: Pick<Monitor, "operated">;
}

export function measured<Service extends object>(service: Service, watch: Watch, prefix = ""): Service {
  const known = new Map<PropertyKey, unknown>();
  const wrapped = (name: PropertyKey, value: unknown): unknown => {
    const full = `${prefix}${String(name)}`;
    if (typeof value === "function") return timed(full, (args) => Reflect.apply(value, service, args), watch);
    return typeof value === "object" && value !== null ? measured(value, watch, `${full}.`) : value;
  };
  return new Proxy(service, {
    get(target, name): unknown {
      if (!known.has(name)) known.set(name, wrapped(name, Reflect.get(target, name, target)));
      return known.get(name);
    },
  });
}

function timed(operation: string, call: (args: readonly unknown[]) => unknown, { clock, monitor }: Watch) {
  return (...args: readonly unknown[]): unknown => {
    const startedAtMs = clock.monotonicMs();
    const tell = (result: unknown, code?: ErrorCode): void => {
      const durationMs = clock.monotonicMs() - startedAtMs;
      const about = aboutOf(args, result);
      monitor.operated({ operation, durationMs, ...about, ...(code === undefined ? {} : { code }) });
    };
    const answer = call(args);
    if (answer instanceof Promise) return answered(answer, tell);
    if (isFeed(answer)) tell(undefined);
    return answer;
  };
}

async function answered(answer: Promise<unknown>, tell: (result: unknown, code?: ErrorCode) => void): Promise<unknown> {
  try {
    const result = await answer;
    tell(result);
    return result;
  } catch (error) {
    tell(undefined, toServiceError(error).code);
    throw error;
  }
}

/** Who asked, and what about: use cases take the caller first, and then mostly an id or a name. */
function aboutOf([caller, subject]: readonly unknown[], result: unknown) {
  if (!isCaller(caller)) return {};
  const { identity, via } = caller;
  const { requestId, sessionId } = via ?? {};
  const named = typeof subject === "string" ? subject : idOf(result);
  return {
    actor: identity.actor,
    ...(named === undefined ? {} : { subject: named }),
    ...(requestId === undefined ? {} : { requestId }),
    ...(sessionId === undefined ? {} : { sessionId }),
  };
}

/** Of a context that was made. */
function idOf(result: unknown): string | undefined {
  const meta = memberOf(result, "meta");
  const id = memberOf(meta, "id");
  return typeof id === "string" ? id : undefined;
}

function memberOf(value: unknown, name: string): unknown {
  return typeof value === "object" && value !== null ? Reflect.get(value, name) : undefined;
}

function isCaller(value: unknown): value is Caller {
  return typeof value === "object" && value !== null && "identity" in value && "origin" in value;
}

/** It has begun; how long it lasts is its reader's business. */
function isFeed(value: unknown): boolean {
  return typeof value === "object" && value !== null && Symbol.asyncIterator in value;
}
