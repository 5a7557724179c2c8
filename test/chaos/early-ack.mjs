/**
 * Preloaded into a server under test (node --import): a store that acknowledges writes before it makes them.
 *
 * The planted fault of the crash test. Whoever finds nothing wrong with this server has not looked.
 */
import { ClassicLevel } from "classic-level";

const LATE_MS = 25;

const writeBatch = Reflect.get(ClassicLevel.prototype, "batch");

ClassicLevel.prototype.batch = function lateBatch(ops, options) {
  setTimeout(() => void writeBatch.call(this, ops, options), LATE_MS);
  return Promise.resolve();
};
