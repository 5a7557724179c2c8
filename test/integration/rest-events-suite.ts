/**
 * What REST promises of events and of the caller's locks (server/SPEC.md, "Events"), over any ContextService.
 */
import { describe, expect, test } from "vitest";
import { readEvents } from "../../client/event-stream.ts";
import type { ServerEvent } from "../../client/event-stream.ts";
import { heldLockListSchema, lockSchema } from "../../shared/protocol/rest-locks.ts";
import { changeListSchema } from "../../shared/protocol/rest.ts";
import { bodyOf, RestHarness } from "./rest-harness.ts";
import type { NodesUnderTest, ServiceUnderTest } from "./rest-harness.ts";

export function restEventsSuite(name: string, start: () => Promise<ServiceUnderTest | NodesUnderTest>): void {
  describe(`REST over ${name}: events`, () => {
    const { call, send, set, addressOf } = new RestHarness(start);

    const follow = async () => {
      const stop = new AbortController();
      const response = await call("/v1/events", { signal: stop.signal });
      expect(response.headers.get("content-type")).toBe("text/event-stream");
      const events = readEvents(bodyOf(response));
      const next = async (): Promise<ServerEvent> => {
        const { value } = await events.next();
        if (value === undefined) throw new Error("the feed ended");
        return value;
      };
      expect(await next()).toEqual({ event: "", data: "", lastEventId: "" });
      return { next, stop: () => stop.abort() };
    };

    test("[EVENT-1] creation, changes, locks and deletion of any context are told, a change without effect is not", async () => {
      const feed = await follow();
      const address = await addressOf();
      const id = address.slice("/v1/contexts/".length);
      const told = async () => [(await feed.next()).event, address];
      expect(await feed.next()).toMatchObject({ event: "created", data: JSON.stringify({ id }) });
      await set(address, "Two");
      expect(await told()).toEqual(["changed", address]);
      const locked = await send("POST", `${address}/locks`, { paths: ["/notes"] });
      expect(await told()).toEqual(["locks", address]);
      const { lockId } = lockSchema.parse(await locked.json());
      await call(`${address}/locks/${lockId}`, { method: "DELETE" });
      expect(await told()).toEqual(["locks", address]);
      await call(address, { method: "DELETE" });
      expect(await told()).toEqual(["deleted", address]);
      feed.stop();
    });

    test("[EVENT-4] [NODE-43] what the caller holds is listed with its context, those of others are not", async () => {
      const [one, other] = [await addressOf(), await addressOf()];
      const lock = async (address: string, path: string, actor: string) => {
        const answer = await send("POST", `${address}/locks`, { paths: [path] }, { "mcm-actor": actor });
        return lockSchema.parse(await answer.json()).lockId;
      };
      const mine = [await lock(one, "/title", "lea"), await lock(other, "/notes", "lea")];
      await lock(one, "/notes", "max");
      const held = async () => {
        const answer = await call("/v1/locks", { headers: { "mcm-actor": "lea" } });
        return heldLockListSchema.parse(await answer.json()).locks;
      };
      // another node may hear of it a moment later
      for (let node = 0; node < 3; node++)
        await expect.poll(async () => (await held()).map(({ lockId }) => lockId).sort()).toEqual(mine.toSorted());
      const locks = await held();
      expect(locks.map(({ contextId }) => `/v1/contexts/${contextId}`).sort()).toEqual([one, other].sort());
    });

    test("[REST-8] a program of ours says which door it is", async () => {
      const address = await addressOf();
      await set(address, "a", { "mcm-client": "mcp" });
      await set(address, "b", { "mcm-client": "browser" });
      const { changes } = changeListSchema.parse(await (await call(`${address}/changes`)).json());
      expect(changes.map(({ origin }) => origin)).toEqual(["mcp", "rest"]);
    });
  });
}
