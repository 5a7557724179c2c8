/** What is asked again and again: one question at a time, slower after failures, and nothing after the end. */
import { expect, test } from "vitest";
import { Poll } from "../../../client/panel/store/poll.ts";
import { ServiceError } from "../../../shared/errors.ts";
import { PanelMachine, settled } from "../../support/panel-machine.ts";

const machine = (): PanelMachine => new PanelMachine("http://panel.test");

test("[PANEL-7] asks while somebody looks, and no longer", async () => {
  const clock = machine();
  let asked = 0;
  const poll = new Poll(clock, 1000, async () => ++asked);
  const stop = poll.start();
  await settled();
  await clock.pass(1000);
  expect([poll.value.value, asked]).toEqual([2, 2]);
  stop();
  await clock.pass(100_000);
  expect([asked, clock.nextMs]).toEqual([2, undefined]);
});

test("[PANEL-7] waits longer after each failure, and keeps what it knew", async () => {
  const clock = machine();
  let fails = false;
  const poll = new Poll(clock, 1000, async () => {
    if (fails) throw new ServiceError("UNREACHABLE", "gone");
    return "known";
  });
  poll.start();
  await settled();
  fails = true;
  const pauses: (number | undefined)[] = [];
  for (let turn = 0; turn < 7; turn++) {
    await clock.pass(clock.nextMs ?? 0);
    pauses.push(clock.nextMs);
  }
  expect(pauses).toEqual([2000, 4000, 8000, 16_000, 30_000, 30_000, 30_000]);
  expect([poll.value.value, poll.problem.value?.code]).toEqual(["known", "UNREACHABLE"]);
  fails = false;
  await clock.pass(30_000);
  expect([poll.problem.value, clock.nextMs]).toEqual([undefined, 1000]);
});

test("[PANEL-7] what is answered after the end is thrown away", async () => {
  const clock = machine();
  let answer = (_value: string): void => {};
  const poll = new Poll(clock, 1000, () => new Promise<string>((resolve) => (answer = resolve)));
  const stop = poll.start();
  stop();
  answer("late");
  await settled();
  expect([poll.value.value, clock.nextMs]).toEqual([undefined, undefined]);
});
