/**
 * Calls that wait, and say so: a progress notification every few seconds keeps hosts from giving them up.
 */
import { LIMITS } from "../../../shared/limits.ts";
import type { ToolCall } from "./tool.ts";

/** What `work` resolves with; meanwhile the host is told that it goes on, when it asked for that. */
export async function saying<Result>(
  { clock, progress }: Pick<ToolCall, "clock" | "progress">,
  what: string,
  work: Promise<Result>,
): Promise<Result> {
  if (progress === undefined) return work;
  const startedAtMs = clock.monotonicMs();
  let cancel = (): void => undefined;
  const again = (): void => {
    cancel = clock.setTimer(LIMITS.mcpProgressMs, () => {
      progress(`${what}, ${Math.round((clock.monotonicMs() - startedAtMs) / 1000)} s`);
      again();
    });
  };
  again();
  try {
    return await work;
  } finally {
    cancel();
  }
}
