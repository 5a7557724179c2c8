/** The pure parts of a reconnect: delays, what close frames say, and who waits for which version. */
import { describe, expect, test } from "vitest";
import { closeError, isTerminalClose } from "../../../client/close-error.ts";
import { RECONNECT_DELAY_MS_MAX, reconnectDelayMs } from "../../../client/reconnect-delay.ts";
import { VersionGate } from "../../../client/version-gate.ts";
import { ERRORS, ServiceError } from "../../../shared/errors.ts";

describe("[SDK-21] delays", () => {
  test("double up to the largest, at most halved", () => {
    const least = [1, 2, 3, 4, 5, 6, 7].map((attempt) => reconnectDelayMs(attempt, 0));
    expect(least).toEqual([100, 200, 400, 800, 1600, 2500, 2500]);
    for (const attempt of [1, 5, 100, 10_000]) {
      const [low, middle, high] = [0, 0.5, 0.999_999].map((random) => reconnectDelayMs(attempt, random));
      expect(middle).toBeCloseTo((low ?? 0) * 1.5);
      expect(high).toBeLessThanOrEqual(2 * (low ?? 0));
      expect(high).toBeLessThanOrEqual(RECONNECT_DELAY_MS_MAX);
    }
  });
});

describe("[SDK-10] close frames", () => {
  test("4400 to 4499 are ends, but 4429 asks for a pause", () => {
    const terminal = [1000, 1006, 1013, 4000, 4399, 4400, 4401, 4409, 4428, 4429, 4430, 4499, 4500, 4503, 4504].filter(
      isTerminalClose,
    );
    expect(terminal).toEqual([4400, 4401, 4409, 4428, 4430, 4499]);
  });

  test("every code of the table comes back as itself", () => {
    for (const code of Object.keys(ERRORS)) {
      expect(closeError({ code: 4400, reason: `${code}: What to do: look.` })).toMatchObject({
        code,
        message: "What to do: look.",
      });
    }
  });

  test("a reason that is not ours is told, and the close code decides", () => {
    expect(closeError({ code: 4404, reason: "gone: fishing" })).toMatchObject({
      code: "CONTEXT_NOT_FOUND",
      message: expect.stringContaining("gone: fishing"),
    });
    expect(closeError({ code: 4499, reason: "" })).toMatchObject({ code: "INTERNAL", details: { closeCode: 4499 } });
  });
});

describe("[SDK-8] versions", () => {
  const ANEW = new ServiceError("EPOCH_CHANGED", "anew");

  test("only grow, and wake those who wait for them", async () => {
    const gate = new VersionGate();
    const third = gate.reached(3);
    gate.reach(2);
    gate.reach(1);
    expect(gate.version).toBe(2);
    gate.reach(5);
    await third;
    await gate.reached(5);
  });

  test("of another generation begin at 0", async () => {
    const gate = new VersionGate();
    gate.reach(4);
    const waiting = gate.reached(5);
    gate.restart(ANEW);
    await expect(waiting).rejects.toBe(ANEW);
    expect(gate.version).toBe(0);
    const again = gate.reached(1);
    gate.reach(1);
    await again;
  });

  test("that never come fail", async () => {
    const gate = new VersionGate();
    gate.fail(ANEW);
    await expect(gate.reached(1)).rejects.toBe(ANEW);
    await expect(gate.reached(0)).resolves.toBeUndefined();
  });
});
