/** Tokens that were revoked: rules AUTH-30 to AUTH-32. */
import { describe, expect, test } from "vitest";
import { Revocations } from "../../server/security/revocations.ts";
import { SecurityManager } from "../../server/security/security-manager.ts";
import type { Identity } from "../../server/state/access/identity.ts";
import { ServiceError } from "../../shared/errors.ts";
import { LIMITS } from "../../shared/limits.ts";
import { bearer, callerOf } from "../support/callers.ts";
import { GatedLog } from "../support/gated-log.ts";
import { ManualClock } from "../support/manual-clock.ts";

const DAY_MS = 24 * 3_600_000;
const ops = callerOf("ops");

async function start(log: GatedLog = new GatedLog(), clock = new ManualClock()) {
  if (!opened.has(log)) await log.open();
  opened.add(log);
  const ended: ((identity: Identity) => boolean)[] = [];
  const tokens = new Revocations({ records: log, clock, onRevoked: (isMeant) => void ended.push(isMeant) });
  await tokens.load();
  return { tokens, clock, log, ended };
}
const opened = new WeakSet<GatedLog>();

describe("[AUTH-30] a revoked token", () => {
  test("is that with its id, and no other of the same actor", async () => {
    const { tokens, ended } = await start();
    await tokens.revoke(ops, { tokenId: "t1", reason: "lost" });
    expect(tokens.isRevoked(bearer("ann", { tokenId: "t1" }))).toBe(true);
    expect(tokens.isRevoked(bearer("ann", { tokenId: "t2" }))).toBe(false);
    expect(tokens.isRevoked(bearer("ann"))).toBe(false);
    expect(ended.map((isMeant) => isMeant(bearer("bob", { tokenId: "t1" })))).toEqual([true]);
  });

  test("or any that its subject had then; a later one counts", async () => {
    const { tokens, clock } = await start();
    const atMs = clock.nowMs();
    await tokens.revoke(ops, { subject: "ann" });
    expect(tokens.isRevoked(bearer("ann", { issuedAtMs: atMs - 1000 }))).toBe(true);
    expect(tokens.isRevoked(bearer("ann", { issuedAtMs: atMs }))).toBe(true);
    expect(tokens.isRevoked(bearer("ann"))).toBe(true);
    expect(tokens.isRevoked(bearer("ann", { issuedAtMs: atMs + 1000 }))).toBe(false);
    expect(tokens.isRevoked(bearer("bob", { issuedAtMs: atMs - 1000 }))).toBe(false);
  });

  test("is let in nowhere", async () => {
    const { tokens } = await start();
    const verifier = { verify: async (tokenId: string) => bearer("ann", { tokenId }) };
    const { authenticate, verify } = new SecurityManager({ verifier, tokens });
    await tokens.revoke(ops, { tokenId: "t1" });
    const shown = (token: string) =>
      authenticate({ headers: { authorization: `Bearer ${token}` }, query: new URLSearchParams() });
    await expect(shown("t1")).rejects.toMatchObject({ code: "UNAUTHENTICATED", details: { rule: "revoked" } });
    await expect(shown("t2")).resolves.toMatchObject({ actor: "ann" });
    await expect(verify?.("t1")).rejects.toBeInstanceOf(ServiceError);
  });
});

describe("[AUTH-31] a revocation", () => {
  test("is durable before it is answered, and before anything ends", async () => {
    const { tokens, log, ended } = await start();
    const failing = new Revocations({
      records: {
        writeRecords: async () => Promise.reject(new ServiceError("STORE_UNAVAILABLE", "No.")),
        listRecords: (...args) => log.listRecords(...args),
      },
      clock: new ManualClock(),
      onRevoked: (isMeant) => void ended.push(isMeant),
    });
    await expect(failing.revoke(ops, { tokenId: "t1" })).rejects.toMatchObject({ code: "STORE_UNAVAILABLE" });
    expect([ended.length, failing.isRevoked(bearer("ann", { tokenId: "t1" }))]).toEqual([0, false]);
    expect(await tokens.revocations()).toEqual([]);
  });

  test("holds after a restart, field by field, newest first", async () => {
    const { tokens, clock, log } = await start();
    const first = await tokens.revoke(ops, { tokenId: "t1", expiresAtMs: 5, reason: "why" });
    clock.advance(1000);
    const second = await tokens.revoke(ops, { subject: "eve" });
    const again = await start(log, clock);
    expect(await again.tokens.revocations()).toEqual([second, first]);
    expect(first).toMatchObject({ tokenId: "t1", expiresAtMs: 5, reason: "why", revokedBy: "ops" });
    expect(again.tokens.isRevoked(bearer("x", { tokenId: "t1" }))).toBe(true);
    expect(again.tokens.isRevoked(bearer("eve"))).toBe(true);
  });
});

describe("[AUTH-32] revocations", () => {
  test("are kept as long as a token may live, and then make room", async () => {
    const { tokens, clock, log } = await start();
    await tokens.revoke(ops, { tokenId: "old" });
    clock.advance(LIMITS.tokenLifetimeMsMax);
    await tokens.revoke(ops, { tokenId: "new" });
    expect((await tokens.revocations()).map(({ tokenId }) => tokenId)).toEqual(["new", "old"]);
    clock.advance(2 * DAY_MS);
    await tokens.revoke(ops, { tokenId: "newest" });
    expect((await (await start(log, clock)).tokens.revocations()).map(({ tokenId }) => tokenId)).toEqual([
      "newest",
      "new",
    ]);
  });

  test("are bounded", async () => {
    const { log, clock } = await start();
    const tokens = new Revocations({ records: log, clock, onRevoked: () => undefined, max: 2 });
    for (const tokenId of ["t1", "t2"]) await tokens.revoke(ops, { tokenId });
    const more = tokens.revoke(ops, { tokenId: "t3" });
    await expect(more).rejects.toMatchObject({ code: "LIMIT_EXCEEDED", details: { limit: 2 } });
    clock.advance(LIMITS.tokenLifetimeMsMax + 2 * DAY_MS);
    await expect(tokens.revoke(ops, { tokenId: "t3" })).resolves.toMatchObject({ tokenId: "t3" });
  });
});
