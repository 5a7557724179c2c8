/** `expect(actual).toEqual(wanted)` for where there are millions: vitest is asked only when it may fail. */
import { isDeepStrictEqual } from "node:util";
import { expect } from "vitest";

export function same(actual: unknown, wanted: unknown): void {
  if (!Object.is(actual, wanted) && !isDeepStrictEqual(actual, wanted)) expect(actual).toEqual(wanted);
}
