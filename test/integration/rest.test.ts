/**
 * REST over a fake of what stands behind it: the transport by itself.
 *
 * Not here: REST over the real service (rest-service.test.ts).
 */
import { FakeContextService } from "../support/fake-context-service.ts";
import { ManualClock } from "../support/manual-clock.ts";
import { restEventsSuite } from "./rest-events-suite.ts";
import { restHistorySuite } from "./rest-history-suite.ts";
import { restLocksSuite } from "./rest-locks-suite.ts";
import { restSuite } from "./rest-suite.ts";
import { restWebhooksSuite } from "./rest-webhooks-suite.ts";

const startFake = async () => ({ service: new FakeContextService(), close: async () => {} });

restSuite("a fake", startFake);
restHistorySuite("a fake", startFake);
restEventsSuite("a fake", startFake);

restLocksSuite("a fake", async () => {
  const clock = new ManualClock();
  return { service: new FakeContextService(clock), clock, close: async () => {} };
});

restWebhooksSuite("a fake", async () => {
  const service = new FakeContextService();
  return { service, target: service.webhooks.target, close: async () => {} };
});
