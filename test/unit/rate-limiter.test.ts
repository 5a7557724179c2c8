/** Accounts and token buckets: rules EDGE-1 to EDGE-3. */
import { describe, expect, test } from "vitest";
import { LIMITS } from "../../shared/limits.ts";
import { Accounts, RateLimiter, UNLIMITED } from "../../server/security/rate-limiter.ts";
import type { Quota } from "../../server/security/rate-limiter.ts";

const NONE = { perS: 0, burst: 0 };

const quota = (more: Partial<Quota["rates"]> = {}, max: Quota["max"] = { sockets: 0, connections: 0 }): Quota => ({
  rates: { connects: NONE, ops: NONE, frames: NONE, bytes: NONE, ...more },
  max,
});

const only = (more: Partial<Quota["rates"]>) => new Accounts(quota(more), 10).of("ada");

describe("[EDGE-1] a rate", () => {
  test("a burst at once, then what time gives back, and never more than a burst", () => {
    const ada = only({ ops: { perS: 10, burst: 3 } });
    const takes = (nowMs: number) => ada.take("ops", 1, nowMs);
    expect([takes(0), takes(0), takes(0), takes(0)]).toEqual([0, 0, 0, 100]);
    expect([takes(99), takes(100), takes(100)]).toEqual([1, 0, 100]);
    expect([takes(1e6), takes(1e6), takes(1e6), takes(1e6)]).toEqual([0, 0, 0, 100]);
  });

  test("the wait that is told is enough, and one millisecond less is not", () => {
    for (const perS of [1, 3, 7, 100, 4096]) {
      const ada = only({ ops: { perS, burst: perS * 10 } });
      expect(ada.take("ops", perS * 10, 0)).toBe(0);
      const waitMs = ada.take("ops", 5, 0);
      expect(ada.take("ops", 5, waitMs - 1)).toBeGreaterThan(0);
      expect(ada.take("ops", 5, waitMs)).toBe(0);
    }
  });

  test("what costs more than a burst is had for a whole one", () => {
    const ada = only({ ops: { perS: 1, burst: 5 } });
    expect([ada.take("ops", 50, 0), ada.take("ops", 1, 0)]).toEqual([0, 1000]);
  });

  test("what has come is spent, and the debt is waited for by whoever comes next", () => {
    const ada = only({ bytes: { perS: 1000, burst: 1000 } });
    expect(ada.spend("bytes", 1000, 0)).toBe(0);
    expect(ada.spend("bytes", 500, 0)).toBe(500);
    expect(ada.spend("bytes", 500, 0)).toBe(1000);
    expect(ada.take("bytes", 1, 999)).toBeGreaterThan(1);
    expect(ada.spend("bytes", 0, 1000)).toBe(0);
  });

  test("debt beyond what is told is forgiven", () => {
    const ada = only({ bytes: { perS: 1000, burst: 1000, debtMax: 2000 } });
    expect(ada.spend("bytes", 1e9, 0)).toBe(2000);
  });

  test("each measure by itself", () => {
    const ada = only({ ops: { perS: 1, burst: 1 }, frames: { perS: 1, burst: 1 } });
    expect([ada.take("ops", 1, 0), ada.spend("frames", 1, 0), ada.take("ops", 1, 0)]).toEqual([0, 0, 1000]);
    expect(ada.spend("bytes", 1e12, 0)).toBe(0);
  });
});

describe("[EDGE-2] what is open at once", () => {
  test("as many as allowed, each kind by itself, and again when one is closed", () => {
    const ada = new Accounts(quota({}, { sockets: 1, connections: 2 }), 10).of("ada");
    expect([ada.open("connections"), ada.open("connections"), ada.open("connections")]).toEqual([true, true, false]);
    expect([ada.open("sockets"), ada.open("sockets"), ada.held("sockets")]).toEqual([true, false, 1]);
    ada.close("connections");
    expect([ada.open("connections"), ada.held("connections")]).toEqual([true, 2]);
  });
});

describe("[EDGE-3] memory is bounded", () => {
  const accounts = () => new Accounts(quota({ ops: { perS: 1, burst: 1 } }), 3);

  test("of those with nothing open the last used are kept", () => {
    const all = accounts();
    for (const name of ["a", "b", "c"]) expect(all.of(name).take("ops", 1, 0)).toBe(0);
    all.of("a");
    all.of("d");
    expect(all.size).toBe(3);
    expect([all.of("a").take("ops", 1, 0), all.of("c").take("ops", 1, 0)]).toEqual([1000, 1000]);
    expect(all.of("b").take("ops", 1, 0)).toBe(0);
    expect(all.size).toBe(3);
  });

  test("one with something open stays, however many come, and is idle again when all is closed", () => {
    const all = accounts();
    const ada = all.of("ada");
    ada.take("ops", 1, 0);
    ada.open("sockets");
    ada.open("connections");
    for (let i = 0; i < 100; i++) all.of(`other-${i}`);
    expect(all.size).toBe(4);
    ada.close("sockets");
    expect(all.of("ada")).toBe(ada);
    ada.close("connections");
    expect([all.of("ada"), all.size]).toEqual([ada, 3]);
    for (let i = 0; i < 100; i++) all.of(`other-${i}`);
    expect(all.of("ada")).not.toBe(ada);
  });
});

describe("[EDGE-1] what is configured", () => {
  const settings = {
    addressConnectionsMax: 7,
    actorConnectionsMax: 5,
    actorOpsPerS: 2,
    actorFramesPerS: 3,
    actorBytesPerS: 4,
  };

  test("an actor has its rates, an address as much as several actors, and twice the sockets", () => {
    const { actors, addresses } = new RateLimiter(settings);
    const burst = (perS: number) => perS * LIMITS.rateBurstS;
    const ada = actors.of("ada");
    expect([ada.take("ops", burst(2), 0), ada.take("ops", 1, 0)]).toEqual([0, 500]);
    expect([ada.spend("frames", burst(3) + 3, 0), ada.spend("bytes", burst(4) + 4, 0)]).toEqual([1000, 1000]);
    const office = addresses.of("office");
    const shared = LIMITS.addressActors;
    expect([office.take("ops", burst(2 * shared), 0), office.take("ops", 2 * shared, 0)]).toEqual([0, 1000]);
    expect(office.spend("bytes", 1e12, 0)).toBe(1000 * LIMITS.rateBurstS);
    expect([office.take("connects", 14, 0), office.take("connects", 1, 0)]).toEqual([0, 10]);
    const openAll = (what: "sockets" | "connections", account = office) => {
      for (let i = 0; i < 100; i++) account.open(what);
      return account.held(what);
    };
    expect([openAll("sockets"), openAll("connections"), openAll("connections", ada)]).toEqual([14, 7, 5]);
  });

  test("0 bounds nothing", () => {
    const { actors, addresses } = new RateLimiter(UNLIMITED);
    for (const account of [actors.of("a"), addresses.of("a")]) {
      for (const measure of ["connects", "ops", "frames", "bytes"] as const) {
        expect([account.take(measure, 1e15, 0), account.spend(measure, 1e15, 0)]).toEqual([0, 0]);
      }
      for (let i = 0; i < 1e4; i++) expect(account.open("sockets") && account.open("connections")).toBe(true);
    }
  });
});
