/** Of a service that keeps nothing to export: tests of data tools run on a real one. */
import { ServiceError } from "../../shared/errors.ts";
import type { DataService } from "../../server/context-service.ts";

const refuse = (): Promise<never> =>
  Promise.reject(new ServiceError("STORE_UNAVAILABLE", "This service is a fake and keeps no data."));

export const fakeData: DataService = { exportJson: refuse, exportYjs: refuse, import: refuse, backup: refuse };
