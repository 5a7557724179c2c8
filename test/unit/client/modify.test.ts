/** Compare-and-set against a place in memory. Over sockets: test/integration/sdk-history.test.ts. */
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { modify, pauseMs } from "../../../client/modify.ts";
import type { Compute, Modified, Patience, Place } from "../../../client/modify.ts";
import type { JsonOp } from "../../../shared/change.ts";
import { ServiceError } from "../../../shared/errors.ts";
import type { Json } from "../../../shared/json.ts";

/** One value of a server, and a replica of it that follows when it is told to. */
class FakePlace implements Place {
  value: Json | undefined;
  version = 0;
  readonly written: JsonOp[] = [];
  #seen: { version: number; value: Json | undefined } = { version: 0, value: undefined };

  constructor(value?: Json) {
    this.value = value;
    this.follow();
  }

  /** Somebody else writes. */
  set(value: Json | undefined): void {
    this.value = value;
    this.version++;
  }

  follow(): void {
    this.#seen = { version: this.version, value: this.value };
  }

  async read(): Promise<{ version: number; value: Json | undefined }> {
    return structuredClone(this.#seen);
  }

  async write(op: JsonOp, ifVersion: number): Promise<{ version: number }> {
    if (ifVersion !== this.version)
      throw new ServiceError("VERSION_CONFLICT", "changed", { details: { currentVersion: this.version } });
    if (!("value" in op)) throw new Error("a value is written");
    this.written.push(op);
    this.set(op.value);
    this.follow();
    return { version: this.version };
  }

  async reached(version: number): Promise<void> {
    if (version > this.#seen.version) this.follow();
  }
}

const FEW: Patience = { attempts: 5, signal: undefined };
const add =
  (by: number): Compute =>
  (value) =>
    (typeof value === "number" ? value : 0) + by;

/** Its pauses pass at once. */
async function run(place: Place, compute: Compute, patience: Patience = FEW): Promise<Modified<Json>> {
  const modified = modify("/n", place, compute, patience);
  modified.catch(() => {});
  await vi.runAllTimersAsync();
  return modified;
}

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

describe("[SDK-24] modify", () => {
  test("writes what it computes, whether or not something is there", async () => {
    const place = new FakePlace();
    expect(await run(place, add(2))).toEqual({ version: 1, value: 2 });
    expect(await run(place, add(3))).toEqual({ version: 2, value: 5 });
    expect(place.written).toEqual([
      { op: "add", path: "/n", value: 2 },
      { op: "replace", path: "/n", value: 5 },
    ]);
  });

  test("computes anew from what somebody wrote meanwhile", async () => {
    const place = new FakePlace(1);
    const seen: unknown[] = [];
    const result = await run(place, (value) => {
      seen.push(value);
      if (seen.length < 3) place.set(seen.length * 10);
      return add(1)(value);
    });
    expect(seen).toEqual([1, 10, 20]);
    expect(result).toEqual({ version: 3, value: 21 });
  });

  test("adds again what somebody removed meanwhile", async () => {
    const place = new FakePlace(1);
    let calls = 0;
    const result = await run(place, (value) => {
      if (++calls === 1) place.set(undefined);
      return add(1)(value);
    });
    expect([result.value, place.written]).toEqual([1, [{ op: "add", path: "/n", value: 1 }]]);
  });

  test("of many at once loses no update, and waits in between", async () => {
    const place = new FakePlace(0);
    const calls = Array.from({ length: 20 }, (_, i) => modify("/n", place, add(i), { ...FEW, attempts: 100 }));
    await vi.runAllTimersAsync();
    await Promise.all(calls);
    expect(place.value).toBe((19 * 20) / 2);
    expect(place.version).toBe(19); // adding nothing writes nothing
  });

  test("waits for a computation that takes its time", async () => {
    const place = new FakePlace(1);
    expect(await run(place, (value) => Promise.resolve(add(1)(value)))).toEqual({ version: 1, value: 2 });
  });

  test("writes nothing when the value stays as it is, and does when it was changed in place", async () => {
    const place = new FakePlace({ list: [1] });
    place.set({ list: [1] });
    place.follow();
    expect(await run(place, (value) => value)).toEqual({ version: 1, value: { list: [1] } });
    expect(place.written).toEqual([]);
    const push: Compute = (value) => {
      (value as { list: number[] }).list.push(2);
      return value;
    };
    expect(await run(place, push)).toEqual({ version: 2, value: { list: [1, 2] } });
  });

  test("gives up after its attempts, with the last refusal", async () => {
    const place = new FakePlace(0);
    let calls = 0;
    const meddled: Compute = (value) => {
      calls++;
      place.set(calls);
      return add(1)(value);
    };
    await expect(run(place, meddled)).rejects.toMatchObject({
      code: "VERSION_CONFLICT",
      details: { currentVersion: 5 },
    });
    expect(calls).toBe(5);
  });

  test("tells other refusals at once", async () => {
    const place = new FakePlace();
    const refusal = new ServiceError("PATH_NOT_FOUND", "no parent");
    const write = vi.spyOn(place, "write").mockRejectedValue(refusal);
    await expect(run(place, add(1))).rejects.toBe(refusal);
    expect(write).toHaveBeenCalledOnce();
    const broken = new Error("computed wrong");
    await expect(run(place, () => Promise.reject(broken))).rejects.toBe(broken);
    await expect(run(new FakePlace(1), () => undefined)).rejects.toBeInstanceOf(TypeError);
  });

  test("ends with its signal, also in the middle of a pause", async () => {
    const place = new FakePlace(0);
    const controller = new AbortController();
    vi.spyOn(Math, "random").mockReturnValue(1);
    const meddled: Compute = (value) => {
      place.set(9);
      return add(1)(value);
    };
    const modified = modify("/n", place, meddled, { attempts: 100, signal: controller.signal });
    const ended = modified.catch((error: unknown) => error);
    await vi.advanceTimersByTimeAsync(20);
    controller.abort(new Error("enough"));
    expect(await ended).toMatchObject({ message: "enough" });
    expect(vi.getTimerCount()).toBe(0);
    vi.restoreAllMocks();
  });

  test("pauses grow up to a bound, and are random", () => {
    expect([1, 2, 3, 7, 8, 2000].map((attempt) => pauseMs(attempt, 1))).toEqual([4, 8, 16, 250, 250, 250]);
    expect(pauseMs(5, 0.5)).toBe(pauseMs(5, 1) / 2);
  });
});
