/** A thread that has yet to start is not waited for with the context's writes held up: part of rule EPOCH-3. */
import { expect, test } from "vitest";
import { Compaction } from "../../server/use-cases/compaction.ts";
import { PLAN, caller } from "../support/service-rig.ts";

test("[EPOCH-3] writes are held up when the thread is ready, and not before", async () => {
  const happened: string[] = [];
  const made = { update: new Uint8Array(), bytes: 1 };
  const access = {
    async recreate(_: unknown, __: unknown, work: (old: { state: Uint8Array; authorId: number }) => Promise<unknown>) {
      happened.push("held");
      await work({ state: new Uint8Array(2), authorId: 7 });
      return { version: 3, epoch: 2 };
    },
  };
  const recreator = {
    async ready() {
      await Promise.resolve();
      happened.push("ready");
    },
    async recreate() {
      happened.push("recreated");
      return made;
    },
  };
  const outcome = await new Compaction(access, recreator).compact(caller("ann"), PLAN);
  expect(happened).toEqual(["ready", "held", "recreated"]);
  expect(outcome).toEqual({ version: 3, epoch: 2, bytesBefore: 2, bytesAfter: 1 });
});
