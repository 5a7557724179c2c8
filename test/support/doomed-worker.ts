/** Functions that a test runs on a worker thread: some answer, one throws, one takes its thread along. */
import { getPriority } from "node:os";
import { threadId } from "node:worker_threads";

export function double({ n }: { readonly n: number }): { readonly twice: number; readonly threadId: number } {
  return { twice: 2 * n, threadId };
}

/** Of the thread that asks, on Linux. */
export function niceness(): number {
  return getPriority();
}

export async function fail({ why }: { readonly why: string }): Promise<never> {
  throw new Error(why);
}

export function die(): void {
  process.exit(1);
}
