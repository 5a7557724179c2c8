/**
 * REST over the real service on a log in memory.
 */
import { startService } from "../support/service-rig.ts";
import { restHistorySuite } from "./rest-history-suite.ts";
import { restSuite } from "./rest-suite.ts";

async function startReal() {
  const { service, storage } = await startService();
  return {
    service,
    async close() {
      await service.close();
      await storage.close();
    },
  };
}

restSuite("the real service", startReal);
restHistorySuite("the real service", startReal);
