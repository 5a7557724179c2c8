/**
 * Events of SDK objects: named, typed, and safe to emit from the middle of protocol work.
 *
 * Invariants:
 *  1. A listener that throws stops neither the others nor the caller; its error is reported to the platform.
 *  2. A listener added or removed while an event is emitted takes effect with the next event.
 */

export type Unsubscribe = () => void;

type Listeners<Events extends Record<keyof Events, readonly unknown[]>> = {
  [Name in keyof Events]?: Set<(...args: Events[Name]) => void>;
};

export class Emitter<Events extends Record<keyof Events, readonly unknown[]>> {
  readonly #listeners: Listeners<Events> = {};

  on<Name extends keyof Events>(name: Name, listener: (...args: Events[Name]) => void): Unsubscribe {
    const listeners = (this.#listeners[name] ??= new Set());
    listeners.add(listener);
    return () => void listeners.delete(listener);
  }

  emit<Name extends keyof Events>(name: Name, ...args: Events[Name]): void {
    for (const listener of [...(this.#listeners[name] ?? [])]) callSafely(() => listener(...args));
  }
}

/** Runs code of the application; what it throws is reported to the platform and goes no further. */
export function callSafely(task: () => void): void {
  try {
    task();
  } catch (error) {
    // Node has no reportError; an unhandled rejection is what its programs watch for
    if (typeof reportError === "function") reportError(error);
    else void Promise.reject(error instanceof Error ? error : new Error(String(error)));
  }
}
