/** Presence that comes too fast, through the whole service on a manual clock: rule PRES-6. */
import { expect, test } from "vitest";
import { encodeAwareness } from "../../shared/protocol/frames.ts";
import { LIMITS } from "../../shared/limits.ts";
import { ManualClock } from "../support/manual-clock.ts";
import { PLAN, caller, openEditor, startService, turns } from "../support/service-rig.ts";

test("[PRES-6] a flood reaches others at a rate, its end reaches them too, and no timer is left", async () => {
  const clock = new ManualClock();
  const rig = await startService(undefined, undefined, undefined, clock);
  await rig.service.create(caller("creator"), { id: PLAN });
  const ada = await openEditor(rig, "ada");
  const bob = await openEditor(rig, "bob");
  const timers = clock.timerCount;
  const heard: unknown[] = [];
  const listen = (): void => {
    for (const message of bob.connection.take()) {
      if (message.type === "awareness") heard.push(...message.entries.map(({ state }) => JSON.parse(state)));
    }
  };
  for (let at = 0; at < 1000; at++) {
    ada.session.receive(encodeAwareness([{ yjsClientId: 1, clock: at + 1, state: `{"at":${at}}` }]));
    await turns(1);
    clock.advance(1);
    listen();
  }
  expect(heard.length).toBeLessThanOrEqual(LIMITS.presenceBurst + LIMITS.presencePerS);
  for (let i = 0; i < 5; i++) {
    clock.advance(50);
    await turns(1);
    listen();
  }
  expect(heard.at(-1)).toEqual({ at: 999, actor: "ada" });
  expect(clock.timerCount).toBe(timers);
});
