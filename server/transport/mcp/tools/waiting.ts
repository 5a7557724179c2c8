/**
 * context_wait: a long poll for changes of others, in any of several contexts.
 *
 * Invariants (MCP-8):
 *  1. What happened between the version that the caller names and the call is found too: no change is missed.
 *  2. A wait ends by a change, its time, or the caller's end, and leaves no timer and no follower behind.
 *
 * Not here: the feed of changes (Contexts.follow).
 */
import { z } from "zod";
import { ServiceError } from "../../../../shared/errors.ts";
import { ANONYMOUS } from "../../../../shared/ids.ts";
import { LIMITS } from "../../../../shared/limits.ts";
import type { Clock } from "../../../clock.ts";
import type { Contexts } from "../contexts.ts";
import { id, part, patch, version } from "../fields.ts";
import { cutPatch } from "../patch-budget.ts";
import { saying } from "../progress.ts";
import { defineTool, READS } from "../tool.ts";

const target = z.strictObject({ id, since_version: version, path: part });
const changed = z.object({
  id: z.string(),
  since_version: version,
  version,
  by: z.array(z.string()),
  patch,
  truncated: z.boolean(),
});
type Target = z.output<typeof target>;
type Changed = z.input<typeof changed>;

export const waitForChanges = defineTool({
  name: "context_wait",
  title: "Wait for changes",
  description:
    "Wait until somebody changes one of the contexts after the version you have seen, or timeout_seconds pass. Returns the changes, or changed:[] and timed_out:true: then do something useful before you call again. Use it instead of polling.",
  scope: "contexts:read",
  annotations: READS,
  input: z.strictObject({
    targets: z.array(target).min(1).max(LIMITS.mcpWaitTargetsMax),
    timeout_seconds: z
      .int()
      .min(1)
      .max(LIMITS.mcpWaitSecondsMax)
      .default(LIMITS.mcpWaitSecondsDefault)
      .describe(`Up to ${LIMITS.mcpWaitSecondsMax}`),
    ignore_own: z.boolean().default(true).describe("Do not return for your own edits"),
  }),
  output: z.object({ changed: z.array(changed), timed_out: z.boolean() }),
  run: async (call, { targets, timeout_seconds: seconds, ignore_own: ignoreOwn }) => {
    const { contexts, clock, signal } = call;
    const { actor } = contexts.self;
    // whoever gave no name shares it with others
    const ignored = ignoreOwn && actor !== ANONYMOUS ? actor : undefined;
    const isNews = await saying(
      call,
      "waiting for changes",
      somethingNew({ contexts, clock, targets, ignored, seconds, signal }),
    );
    if (!isNews) return { changed: [], timed_out: true };
    const looked = await Promise.all(targets.map((one) => changesOf(contexts, one, ignored)));
    return { changed: looked.flatMap((one) => one ?? []), timed_out: false };
  },
});

interface Wait {
  readonly contexts: Contexts;
  readonly clock: Clock;
  readonly targets: readonly Target[];
  /** Whose changes are no news. */
  readonly ignored: string | undefined;
  readonly seconds: number;
  readonly signal: AbortSignal;
}

/** False when the time is over first. @throws {ServiceError} what a follower is refused; CLOSED when the caller went away */
async function somethingNew({ contexts, clock, targets, ignored, seconds, signal }: Wait): Promise<boolean> {
  // a signal for each: Node warns of one that many listen to
  const waits = targets.map((one) => ({ ...one, end: new AbortController() }));
  const stop = (): void => {
    for (const { end } of waits) end.abort();
  };
  const cancel = clock.setTimer(seconds * 1000, stop);
  signal.addEventListener("abort", stop, { once: true });
  if (signal.aborted) stop();
  try {
    const news = waits.map(async ({ id: contextId, since_version: since, path, end }) => {
      for await (const { actor } of contexts.follow(contextId, { since, path, signal: end.signal }))
        if (actor !== ignored) return true;
      return false;
    });
    const isNews = await Promise.race(news);
    if (signal.aborted) throw new ServiceError("CLOSED", "The caller does not wait any more.");
    return isNews;
  } finally {
    cancel();
    stop();
    signal.removeEventListener("abort", stop);
  }
}

/** Undefined when nobody else changed anything there. */
async function changesOf(
  contexts: Contexts,
  { id: contextId, since_version: since, path }: Target,
  ignored: string | undefined,
): Promise<Changed | undefined> {
  const { changes } = await contexts.changes(contextId, { since, path, limit: LIMITS.listLimitMax });
  const by = [...new Set(changes.map(({ actor }) => actor))].filter((actor) => actor !== ignored);
  if (by.length === 0) return undefined;
  const { to, changes: ops } = await contexts.diff(contextId, { from: since, path });
  return { id: contextId, since_version: since, version: to, by, ...cutPatch(ops) };
}
