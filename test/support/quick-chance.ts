/**
 * Set up in every test process: small random numbers come from a stock that is fetched from the system at once.
 *
 * Yjs asks the system 33 times for each new document, whose name nobody reads: a fifth of the time of tests that make many.
 */
import { webcrypto } from "node:crypto";

const STOCK_BYTES = 16_384;
const SMALL_BYTES = 64;

// the modules of a worker are shared, this file is run before each test file
if (!Object.hasOwn(webcrypto, "getRandomValues")) {
  const fetch = webcrypto.getRandomValues.bind(webcrypto);
  const stock = new Uint8Array(STOCK_BYTES);
  let used = STOCK_BYTES;
  webcrypto.getRandomValues = (array) => {
    if (!ArrayBuffer.isView(array) || array.byteLength > SMALL_BYTES) return fetch(array);
    if (used + array.byteLength > STOCK_BYTES) {
      fetch(stock);
      used = 0;
    }
    const bytes = new Uint8Array(array.buffer, array.byteOffset, array.byteLength);
    bytes.set(stock.subarray(used, (used += array.byteLength)));
    return array;
  };
}
