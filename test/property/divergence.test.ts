/**
 * Refusals never split replicas, whoever writes how, while rights and locks change: rules ACL-4, ACL-5, ACL-8, VOID-2, VOID-4.
 * `MCM_FUZZ_RUNS=1000 npx vitest run --project property test/property/divergence.test.ts` runs more, of about 6 sessions each.
 */
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { runDivergence } from "../support/divergence.ts";
import { turns } from "../support/service-rig.ts";

const RUNS = Number(process.env["MCM_FUZZ_RUNS"] ?? 40);

beforeEach(() => void vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "setInterval", "clearInterval"] }));
afterEach(() => void vi.useRealTimers());

async function passing(ms: number): Promise<void> {
  await turns(3);
  await vi.advanceTimersByTimeAsync(ms);
  await turns(3);
}

test(
  `[VOID-2] [ACL-5] ${RUNS} runs of stock, SDK and JSON writers under changing lists and locks`,
  { timeout: 7_200_000 },
  async () => {
    let [sessions, kept, refused] = [0, 0, 0];
    for (let seed = 1; seed <= RUNS; seed++) {
      const outcome = await runDivergence({ seed, passing });
      expect(outcome.faults, `seed ${seed}`).toEqual([]);
      sessions += outcome.sessions;
      kept += outcome.kept;
      refused += outcome.refused;
    }
    // the test is about something
    expect(kept).toBeGreaterThan(RUNS);
    expect(refused).toBeGreaterThan(RUNS);
    expect(sessions).toBeGreaterThan(4 * RUNS);
  },
);
