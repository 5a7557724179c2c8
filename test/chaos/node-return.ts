/**
 * When a node serves again whose engine was gone: figures, by which nothing is judged.
 *
 * 1. A node asks for nothing here: it is watched by a client of its own, at a context that nobody else writes.
 */
import type { ContextId } from "../../shared/ids.ts";
import { RestCaller } from "../support/rest-caller.ts";

/** A node that does not answer at all is asked again. */
const PATIENCE_MS = 3000;

/** Milliseconds since it was watched. */
export interface NodeReturn {
  /** It says that it is not ready. */
  readonly downMs: number;
  /** It says that it is, again. */
  readonly readyMs: number;
  readonly wroteMs: number;
}

/** Resolves when it is back; watch it when the engine answers nobody any more. */
export async function returnOf(url: string, contextId: ContextId): Promise<NodeReturn> {
  const sinceMs = performance.now();
  const passed = (): number => Math.round(performance.now() - sinceMs);
  const caller = new RestCaller(url, "watcher", PATIENCE_MS);
  const isReady = async (): Promise<boolean> => {
    const { ok } = await fetch(`${url}/readyz`, { signal: AbortSignal.timeout(PATIENCE_MS) });
    return ok;
  };
  const hasWritten = async (): Promise<boolean> => {
    await caller.change(contextId, [{ op: "replace", path: "/n", value: passed() }], undefined);
    return true;
  };
  const readiness = async () => {
    await when(async () => !(await isReady()));
    const downMs = passed();
    await when(isReady);
    return { downMs, readyMs: passed() };
  };
  const writing = async () => {
    await when(hasWritten);
    return { wroteMs: passed() };
  };
  const [ready, wrote] = await Promise.all([readiness(), writing()]);
  return { ...ready, ...wrote };
}

/** What cannot be asked is not so. */
async function when(isSo: () => Promise<boolean>): Promise<void> {
  while (!(await isSo().catch(() => false))) await glance();
}

/** Nobody tells when a node is ready. */
function glance(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 50));
}
