/**
 * REST over a fake of what stands behind it (the transport by itself), and over the real service on a log in memory.
 */
import { FakeContextService } from "../support/fake-context-service.ts";
import { startService } from "../support/service-rig.ts";
import { restSuite } from "./rest-suite.ts";

restSuite("a fake", async () => ({ service: new FakeContextService(), close: async () => {} }));

restSuite("the real service", async () => {
  const { service, storage } = await startService();
  return {
    service,
    async close() {
      await service.close();
      await storage.close();
    },
  };
});
