/**
 * Preloaded into a server under test (node --import): a disk that takes 20 ms for each write, and from the first SIGTERM on
 * fails (MCM_TEST_DISK=fails) or does not answer any more (MCM_TEST_DISK=hangs).
 */
import { ClassicLevel } from "classic-level";

const WRITE_MS = 20;
const fate = process.env["MCM_TEST_DISK"];
const writeBatch = Reflect.get(ClassicLevel.prototype, "batch");
let isStopping = false;

process.once("SIGTERM", () => (isStopping = true));

ClassicLevel.prototype.batch = async function slowBatch(ops, options) {
  await new Promise((resolve) => setTimeout(resolve, WRITE_MS));
  if (isStopping && fate === "fails") throw new Error("IO error: No space left on device");
  if (isStopping && fate === "hangs") await new Promise(() => setInterval(() => {}, 1e6));
  return writeBatch.call(this, ops, options);
};
