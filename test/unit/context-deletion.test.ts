/** A context that is deleted while it is in use, and made again: rule CTX-5 at its edges. */
import { expect, test } from "vitest";
import type { ContextId } from "../../shared/ids.ts";
import { recreateState } from "../../server/state/compaction.ts";
import type { NewDocument } from "../../server/state/compaction.ts";
import { GatedLog } from "../support/gated-log.ts";
import { PLAN, caller, openEditor, startService, turns } from "../support/service-rig.ts";

/** A log that takes its time after the context is gone, to clean up. */
class SlowRemovalLog extends GatedLog {
  cleanUp: () => void = () => undefined;

  override async remove(id: ContextId): Promise<boolean> {
    const isRemoved = await super.remove(id);
    await new Promise<void>((resolve) => {
      this.cleanUp = resolve;
    });
    return isRemoved;
  }
}

test("[CTX-5] what is written to a deleted context does not reach a new one of the same id", async () => {
  const log = new SlowRemovalLog();
  const rig = await startService(log);
  await rig.service.create(caller("ann"), { id: PLAN, data: { old: true } });
  const editor = await openEditor(rig, "bob");
  const deleting = rig.service.delete(caller("ann"), PLAN);
  await turns(10);
  await rig.service.create(caller("ann"), { id: PLAN, data: { new: true } });
  editor.edit((data) => data.set("late", true));
  await turns(10);
  const next = await openEditor(rig, "carol");
  log.cleanUp();
  await deleting;
  await turns();
  expect(editor.connection.closedWith?.code).toBe(4404);
  expect(next.connection.closedWith).toBeUndefined();
  const { meta, head, data } = await rig.service.read(caller("ann"), PLAN, { path: "" });
  expect([meta.epoch, head.version, data]).toEqual([2, 0, { new: true }]);
});

test("[CTX-5] a compaction under way does not put a deleted context's document into a new one of the same id", async () => {
  let finish = (): void => undefined;
  const recreate = async (old: Parameters<typeof recreateState>[0]): Promise<NewDocument> => {
    await new Promise<void>((resolve) => {
      finish = resolve;
    });
    return recreateState(old);
  };
  const rig = await startService(undefined, undefined, { recreate });
  await rig.service.create(caller("ann"), { id: PLAN, data: { old: true } });
  const compacting = rig.service.history.compact(caller("ann"), PLAN).catch(({ code }: { code: string }) => code);
  await turns();
  await rig.service.delete(caller("ann"), PLAN);
  await rig.service.create(caller("ann"), { id: PLAN, data: { new: true } });
  const next = await openEditor(rig, "carol");
  finish();
  expect(await compacting).toBe("CONTEXT_NOT_FOUND");
  expect(next.connection.closedWith).toBeUndefined();
  const { meta, data } = await rig.service.read(caller("ann"), PLAN, { path: "" });
  expect([meta.epoch, data]).toEqual([2, { new: true }]);
});

test("[CTX-5] a session that was being opened is told that its context is gone", async () => {
  const log = new GatedLog();
  const rig = await startService(log);
  await rig.service.create(caller("ann"), { id: PLAN });
  let answer = (): void => undefined;
  log.listRecords = async () => {
    await new Promise<void>((resolve) => {
      answer = resolve;
    });
    return [];
  };
  const opening = openEditor(rig, "bob").catch(({ code }: { code: string }) => code);
  await turns();
  await rig.service.delete(caller("ann"), PLAN);
  answer();
  expect(await opening).toBe("CONTEXT_NOT_FOUND");
});
