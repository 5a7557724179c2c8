/**
 * The REST transport by itself, over a fake of what stands behind it.
 */
import { FakeContextService } from "../support/fake-context-service.ts";
import { restSuite } from "./rest-suite.ts";

restSuite("a fake", async () => ({ service: new FakeContextService(), close: async () => {} }));
