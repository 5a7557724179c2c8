/** Functions that a test runs on a worker thread: one that answers, one that throws, one that takes its thread along. */
import { threadId } from "node:worker_threads";

export function double({ n }: { readonly n: number }): { readonly twice: number; readonly threadId: number } {
  return { twice: 2 * n, threadId };
}

export async function fail({ why }: { readonly why: string }): Promise<never> {
  throw new Error(why);
}

export function die(): void {
  process.exit(1);
}
