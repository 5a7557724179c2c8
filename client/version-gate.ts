/**
 * The version a replica is known to include, and those who wait for a later one.
 *
 * Not here: deciding which version that is (replica.ts).
 */
import type { ServiceError } from "../shared/errors.ts";

interface Waiter {
  readonly version: number;
  readonly resolve: () => void;
  readonly reject: (error: ServiceError) => void;
}

export class VersionGate {
  #version = 0;
  #waiters: Waiter[] = [];
  #failure: ServiceError | undefined;

  get version(): number {
    return this.#version;
  }

  /** Versions of a replica never go back. */
  reach(version: number): void {
    this.#version = Math.max(this.#version, version);
    const waiters = this.#waiters;
    this.#waiters = waiters.filter((waiter) => waiter.version > this.#version);
    for (const waiter of waiters) if (waiter.version <= this.#version) waiter.resolve();
  }

  /** Resolves when the replica includes `version`. @throws {ServiceError} why it never will */
  reached(version: number): Promise<void> {
    if (version <= this.#version) return Promise.resolve();
    if (this.#failure !== undefined) return Promise.reject(this.#failure);
    return new Promise((resolve, reject) => this.#waiters.push({ version, resolve, reject }));
  }

  /** Another generation of the document counts from 0 again. */
  restart(error: ServiceError): void {
    this.#version = 0;
    this.#rejectAll(error);
  }

  /** A new copy of the same document begins with nothing; who waits goes on waiting. */
  rewind(): void {
    this.#version = 0;
  }

  fail(error: ServiceError): void {
    this.#failure ??= error;
    this.#rejectAll(error);
  }

  #rejectAll(error: ServiceError): void {
    const waiters = this.#waiters;
    this.#waiters = [];
    for (const { reject } of waiters) reject(error);
  }
}
