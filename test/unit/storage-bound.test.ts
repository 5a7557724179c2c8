/** The bound of what a context may take on disk, through the whole service: rule RET-6. */
import { expect, test } from "vitest";
import type { ContextId } from "../../shared/ids.ts";
import { LIMITS } from "../../shared/limits.ts";
import type { AppendResult } from "../../server/storage/change-log.ts";
import { GatedLog } from "../support/gated-log.ts";
import { PLAN, caller, startService } from "../support/service-rig.ts";

const ada = caller("ada");

/** A log that says how much a context takes. */
class SizedLog extends GatedLog {
  isFull = false;

  override async append(...args: Parameters<GatedLog["append"]>): Promise<AppendResult> {
    const result = await super.append(...args);
    if (result.kind !== "appended") return result;
    return { ...result, size: { ...result.size, bytes: await this.bytesOnDisk(args[0]) } };
  }

  override async bytesOnDisk(id: ContextId): Promise<number> {
    return this.isFull ? LIMITS.contextStorageBytesMax + 1 : super.bytesOnDisk(id);
  }
}

test.each(["forgetting a name", "dropping history"])("[RET-6] at the bound growth is refused until %s", async (way) => {
  const log = new SizedLog();
  const { service, storage } = await startService(log);
  await service.create(ada, { id: PLAN });
  const write = () => service.change(ada, PLAN, { ops: [{ op: "increment", path: "/n", by: 1 }] });
  const name = (it: string) => service.history.nameCheckpoint(ada, PLAN, { name: it });
  await service.change(ada, PLAN, { ops: [{ op: "add", path: "/n", value: 0 }] });
  await name("first");
  await write();
  log.isFull = true;
  await write();
  await expect(write()).rejects.toMatchObject({ code: "LIMIT_EXCEEDED" });
  await expect(name("second")).rejects.toMatchObject({ code: "LIMIT_EXCEEDED" });
  expect(await service.history.checkpoints(ada, PLAN)).toHaveLength(1);
  log.isFull = false;
  if (way === "forgetting a name") {
    await service.history.forgetCheckpoint(ada, PLAN, "first");
  } else {
    const base = await storage.checkpointBefore(PLAN, 1);
    if (base !== undefined) await storage.trim(PLAN, base);
  }
  expect(await write()).toMatchObject({ version: 4 });
});
