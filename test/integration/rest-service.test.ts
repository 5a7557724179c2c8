/**
 * REST over the real service on a log in memory.
 */
import { systemClock } from "../../server/clock.ts";
import type { Clock } from "../../server/clock.ts";
import { ManualClock } from "../support/manual-clock.ts";
import { startService } from "../support/service-rig.ts";
import { restEventsSuite } from "./rest-events-suite.ts";
import { restHistorySuite } from "./rest-history-suite.ts";
import { restLocksSuite } from "./rest-locks-suite.ts";
import { restSuite } from "./rest-suite.ts";
import { restWebhooksSuite } from "./rest-webhooks-suite.ts";

async function startReal(clock: Clock = systemClock) {
  const { service, guard, storage, target } = await startService(undefined, undefined, undefined, clock);
  return {
    service: guard,
    target,
    async close() {
      await service.close();
      await storage.close();
    },
  };
}

restSuite("the real service", () => startReal());
restWebhooksSuite("the real service", () => startReal());
restHistorySuite("the real service", () => startReal());
restEventsSuite("the real service", () => startReal());
restLocksSuite("the real service", async () => {
  const clock = new ManualClock();
  return { ...(await startReal(clock)), clock };
});
