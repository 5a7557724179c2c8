/** Old conflicts go, those that wait for somebody stay: rule CONFLICT-14. */
import { expect, test } from "vitest";
import { parseContextId } from "../../shared/ids.ts";
import type { ConflictStatus } from "../../shared/conflict.ts";
import { ConflictThinning } from "../../server/context/conflict-thinning.ts";
import { conflictWrite } from "../../server/state/conflict/conflict-record.ts";
import { RecordingLogger } from "../support/recording-logger.ts";
import { startPlan, turns } from "../support/service-rig.ts";

const PLAN = parseContextId("plan");

const write = (seq: number, status: ConflictStatus) =>
  conflictWrite({
    id: `${seq}.0`,
    path: "/a",
    kind: "set-set",
    policy: status === "open" ? "manual" : "record",
    winner: {},
    loser: {},
    status,
    atMs: 0,
    version: seq,
  });

test("[CONFLICT-14] the newest conflicts stay, of older ones only the open", async () => {
  const { storage } = await startPlan();
  const thinning = new ConflictThinning({ storage, logger: new RecordingLogger(), keptMax: 3 });
  const statuses = ["recorded", "open", "resolved", "recorded", "open", "recorded", "resolved"] as const;
  await storage.writeRecords(
    PLAN,
    statuses.map((status, index) => write(index + 1, status)),
  );
  const left = async (): Promise<number[]> =>
    (await storage.listRecords(PLAN, "conflicts", { limit: 100 })).map(({ value }) => Number(value["version"]));
  thinning.recorded(PLAN, 1);
  await turns(10);
  expect(await left()).toEqual([2, 5, 6, 7]);
  await storage.writeRecords(PLAN, [write(8, "recorded")]);
  thinning.recorded(PLAN, 1);
  await turns(10);
  expect(await left()).toEqual([2, 5, 6, 7, 8]);
  thinning.recorded(PLAN, 2000);
  await turns(10);
  expect(await left()).toEqual([2, 6, 7, 8].toSpliced(1, 0, 5));
});

test("[CONFLICT-14] open ones do not grow for ever, and records of several pages are all looked at", async () => {
  const { storage } = await startPlan();
  const thinning = new ConflictThinning({ storage, logger: new RecordingLogger(), keptMax: 70, openMax: 60 });
  const records = Array.from({ length: 400 }, (_, index) => write(index + 1, index % 2 === 0 ? "open" : "resolved"));
  await storage.writeRecords(PLAN, records);
  thinning.recorded(PLAN, 1);
  await turns(60);
  const left = await storage.listRecords(PLAN, "conflicts", { limit: 500 });
  const versions = left.map(({ value }) => Number(value["version"]));
  expect(versions).toHaveLength(130);
  expect(versions.slice(60)).toEqual(Array.from({ length: 70 }, (_, index) => 331 + index));
  expect(versions.slice(0, 60)).toEqual(Array.from({ length: 60 }, (_, index) => 211 + 2 * index));
});
