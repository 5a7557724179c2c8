/**
 * A seeded generator with an integer-only API: xoshiro128**, period 2^128 - 1, seeded through a 32-bit mixer.
 *
 * 1. The same seed and the same calls give the same numbers on every machine: no floating point, no engine's Math.random.
 * 2. `fork` gives a stream of its own, so that drawing more in one part of a run does not shift the draws of another.
 */

export class Random {
  readonly #state = new Uint32Array(4);

  constructor(seed: number) {
    let mixed = seed >>> 0;
    for (let i = 0; i < 4; i++) {
      mixed = (mixed + 0x9e37_79b9) >>> 0;
      this.#state[i] = mix(mixed);
    }
  }

  uint32(): number {
    const [a = 0, b = 0, c = 0, d = 0] = this.#state;
    const result = Math.imul(rotate(Math.imul(b, 5), 7), 9) >>> 0;
    const c1 = c ^ a;
    const d1 = d ^ b;
    this.#state.set([a ^ d1, b ^ c1, c1 ^ (b << 9), rotate(d1, 11)]);
    return result;
  }

  /** A whole number in [0, bound), each as likely as the other. */
  below(bound: number): number {
    const fair = 2 ** 32 - (2 ** 32 % bound);
    for (;;) {
      const drawn = this.uint32();
      if (drawn < fair) return drawn % bound;
    }
  }

  /** A whole number in [low, high]. */
  between(low: number, high: number): number {
    return low + this.below(high - low + 1);
  }

  percent(chance: number): boolean {
    return this.below(100) < chance;
  }

  pick<T>(items: readonly [T, ...T[]]): T;
  pick<T>(items: readonly T[]): T | undefined;
  pick<T>(items: readonly T[]): T | undefined {
    return items.length === 0 ? undefined : items[this.below(items.length)];
  }

  fork(): Random {
    return new Random(this.uint32());
  }

  /** In the form of a UUID v4. */
  uuid(): string {
    const hex = Array.from({ length: 4 }, () => this.uint32().toString(16).padStart(8, "0")).join("");
    return [hex.slice(0, 8), hex.slice(8, 12), `4${hex.slice(13, 16)}`, `8${hex.slice(17, 20)}`, hex.slice(20)].join(
      "-",
    );
  }
}

function rotate(value: number, by: number): number {
  return (value << by) | (value >>> (32 - by));
}

/** The finalizer of MurmurHash3: every bit of the input reaches every bit of the output. */
function mix(value: number): number {
  let it = value;
  it = Math.imul(it ^ (it >>> 16), 0x85eb_ca6b);
  it = Math.imul(it ^ (it >>> 13), 0xc2b2_ae35);
  return (it ^ (it >>> 16)) >>> 0;
}
