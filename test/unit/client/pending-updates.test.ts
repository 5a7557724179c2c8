/** Local edits until the server has them: what an ack, a refusal, a lost connection and the end do to them. */
import { describe, expect, test } from "vitest";
import { PendingUpdates } from "../../../client/pending-updates.ts";
import { ServiceError } from "../../../shared/errors.ts";

const bytes = (...values: number[]): Uint8Array => new Uint8Array(values);
const LOST = new ServiceError("FORBIDDEN", "no");

function sent(count: number): PendingUpdates {
  const pending = new PendingUpdates();
  for (let i = 1; i <= count; i++) pending.add(bytes(i)).frame = i;
  return pending;
}

/** What has settled so far, in order. */
function watch(log: string[], name: string, promise: Promise<void>): void {
  promise.then(() => log.push(`${name} saved`)).catch(({ code }: ServiceError) => log.push(`${name} ${code}`));
}

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

describe("[SDK-4] unacknowledged edits", () => {
  test("go with the ack of their frame, and of no other", () => {
    const pending = sent(3);
    pending.acked(2);
    expect(pending.entries.map(({ update }) => update)).toEqual([bytes(3)]);
    pending.acked(3);
    expect(pending.isEmpty).toBe(true);
  });

  test("of a lost connection are not acknowledged by frame numbers of the next", () => {
    const pending = sent(2);
    pending.connectionLost();
    pending.acked(2);
    expect(pending.entries).toHaveLength(2);
  });

  test("settle the promises made after them, oldest first", async () => {
    const pending = sent(1);
    const log: string[] = [];
    watch(log, "first", pending.saved());
    pending.add(bytes(2)).frame = 2;
    watch(log, "second", pending.saved());
    pending.acked(1);
    await turn();
    expect(log).toEqual(["first saved"]);
    pending.acked(2);
    await turn();
    expect(log).toEqual(["first saved", "second saved"]);
    await expect(pending.saved()).resolves.toBeUndefined();
  });

  test("[SDK-11] that are refused fail those who wait for them, not those who waited before", async () => {
    const pending = sent(3);
    const log: string[] = [];
    watch(log, "all", pending.saved());
    const [, second] = pending.entries;
    if (second !== undefined) pending.refuse(second, LOST);
    await turn();
    expect(log).toEqual(["all FORBIDDEN"]);
    expect(pending.entries.map(({ frame }) => frame)).toEqual([1, 3]);
    watch(log, "rest", pending.saved());
    pending.acked(3);
    await turn();
    expect(log).toEqual(["all FORBIDDEN", "rest saved"]);
  });

  test("[SDK-11] a refusal settles a promise for what came before it", async () => {
    const pending = sent(1);
    const log: string[] = [];
    watch(log, "first", pending.saved());
    pending.add(bytes(2)).frame = 2;
    const [, second] = pending.entries;
    if (second !== undefined) pending.refuse(second, LOST);
    pending.acked(1);
    await turn();
    expect(log).toEqual(["first saved"]);
  });

  test("[SDK-10] stay readable after the end, and fail every promise", async () => {
    const pending = sent(1);
    const before = pending.saved();
    pending.fail(LOST);
    await expect(before).rejects.toBe(LOST);
    await expect(pending.saved()).rejects.toBe(LOST);
    expect(pending.entries).toHaveLength(1);
  });
});
