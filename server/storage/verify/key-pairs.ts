/**
 * Does every idempotency record have its expiry key, and the other way round? Told without keeping them: both sides are added
 * up, so that their order does not matter.
 *
 * Not here: which keys stand for each other (log-keys.ts).
 */
import { createHash } from "node:crypto";
import { idempotencyKeyOf } from "../log/log-keys.ts";

export class KeyPairs {
  #records = 0;
  #keys = 0;
  #sum = 0n;

  record(key: Uint8Array): void {
    this.#records++;
    this.#sum += numberOf(key);
  }

  expiry(key: Uint8Array): void {
    this.#keys++;
    this.#sum -= numberOf(idempotencyKeyOf(key));
  }

  /** What is wrong; undefined when each has its partner. */
  get problem(): string | undefined {
    if (this.#records === this.#keys && this.#sum === 0n) return undefined;
    return `There are ${this.#records} idempotency records and ${this.#keys} keys to delete them by, which do not belong together`;
  }
}

function numberOf(key: Uint8Array): bigint {
  return createHash("sha256").update(key).digest().readBigUInt64BE();
}
