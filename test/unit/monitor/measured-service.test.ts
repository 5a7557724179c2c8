/** Every use case is measured under its name, and does what it does. */
import { describe, expect, test } from "vitest";
import type { Operated } from "../../../server/monitor-port.ts";
import { measured } from "../../../server/context/measured-service.ts";
import { ServiceError } from "../../../shared/errors.ts";
import { encodeRequest } from "../../../shared/protocol/frames.ts";
import { ManualClock } from "../../support/manual-clock.ts";
import { metricsIn } from "../../support/metrics-text.ts";
import { caller, openEditor, startPlan, turns } from "../../support/service-rig.ts";

class Service {
  readonly locks = { take: async (_caller: unknown, id: string): Promise<string> => `${id} taken` };
  readonly word = "hello";
  #secret = 42;

  async answer(_caller: unknown, _id: string): Promise<number> {
    return this.#secret;
  }
  async make(_caller: unknown, _what: object): Promise<{ meta: { id: string } }> {
    return { meta: { id: "made" } };
  }
  async fail(_caller: unknown, error: unknown): Promise<never> {
    throw error;
  }
  refuseAtOnce(): Promise<never> {
    throw new ServiceError("SHUTTING_DOWN", "no");
  }
  health(): string {
    return "ok";
  }
  async *follow(_caller: unknown, _id: string): AsyncGenerator<number> {
    yield 1;
  }
}

function watched() {
  const [clock, told] = [new ManualClock(), [] as Operated[]];
  const service = measured(new Service(), { clock, monitor: { operated: (it) => void told.push(it) } });
  return { clock, told, service };
}

const ada = { ...caller("ada"), via: { requestId: "r1" } };

describe("a measured service", () => {
  test("[MON-6] answers and refusals are told with name, time, who and what about", async () => {
    const { clock, told, service } = watched();
    const answer = service.answer(ada, "plan");
    clock.advance(30);
    expect(await answer).toBe(42);
    await expect(service.fail(ada, new ServiceError("LOCKED", "no"))).rejects.toMatchObject({ code: "LOCKED" });
    const cause = new TypeError("what?");
    await expect(service.fail(ada, cause)).rejects.toBe(cause);
    expect(told).toEqual([
      { operation: "answer", durationMs: 30, actor: "ada", subject: "plan", requestId: "r1" },
      { operation: "fail", durationMs: 0, actor: "ada", requestId: "r1", code: "LOCKED" },
      { operation: "fail", durationMs: 0, actor: "ada", requestId: "r1", code: "INTERNAL" },
    ]);
  });

  test("[MON-6] a group's use cases have its name before theirs; what is made is told by its id", async () => {
    const { told, service } = watched();
    expect([await service.locks.take(ada, "plan"), service.locks === service.locks]).toEqual(["plan taken", true]);
    await service.make(ada, {});
    expect(told.map(({ operation, subject }) => [operation, subject])).toEqual([
      ["locks.take", "plan"],
      ["make", "made"],
    ]);
  });

  test("[MON-6] what answers at once is no use case; a feed counts when it begins", async () => {
    const { told, service } = watched();
    expect([service.health(), service.word]).toEqual(["ok", "hello"]);
    expect(told).toEqual([]);
    expect(() => service.refuseAtOnce()).toThrow(ServiceError);
    const feed = service.follow(ada, "plan");
    expect(told).toMatchObject([{ operation: "follow", subject: "plan" }]);
    expect(await feed.next()).toEqual({ done: false, value: 1 });
  });
});

test("[MON-6] what sessions ask is measured, too, with the session's id", async () => {
  const rig = await startPlan({ a: 1 });
  const { session } = await openEditor(rig, "ada");
  session.receive(encodeRequest(1, "lock", { paths: ["/a"] }));
  session.receive(encodeRequest(2, "lock", { paths: ["/a"] }));
  await turns();
  const found = metricsIn((await rig.monitor.metrics()).text);
  expect(found.get('mcm_operations_total{operation="locks.acquire",outcome="ok"}')).toBe(1);
  expect(found.get('mcm_operations_total{operation="locks.acquire",outcome="LOCKED"}')).toBe(1);
  expect(found.get('mcm_lock_requests_total{outcome="refused"}')).toBe(1);
  const { id: sessionId, actor } = session.info;
  const lines = rig.events.at("debug").filter(({ message }) => message === "operation");
  expect(lines).toHaveLength(2);
  for (const { fields } of lines) {
    expect(fields).toMatchObject({ operation: "locks.acquire", subject: "plan", sessionId, actor });
  }
  await rig.service.close();
});
