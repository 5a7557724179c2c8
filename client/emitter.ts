/**
 * Events of SDK objects: named, typed, and safe to emit from the middle of protocol work.
 *
 * Invariants:
 *  1. A listener that throws stops neither the others nor the caller; its error is reported to the platform.
 *  2. A listener added or removed while an event is emitted takes effect with the next event.
 *  3. Events of the names given at construction are not lost when nobody listens yet: the first listener gets them.
 */

export type Unsubscribe = () => void;

type Listeners<Events extends Record<keyof Events, readonly unknown[]>> = {
  [Name in keyof Events]?: Set<(...args: Events[Name]) => void>;
};

export class Emitter<Events extends Record<keyof Events, readonly unknown[]>> {
  readonly #listeners: Listeners<Events> = {};
  readonly #unheard: (() => void)[] = [];
  readonly #kept: ReadonlySet<keyof Events>;

  constructor(kept: readonly (keyof Events)[] = []) {
    this.#kept = new Set(kept);
  }

  on<Name extends keyof Events>(name: Name, listener: (...args: Events[Name]) => void): Unsubscribe {
    const listeners = (this.#listeners[name] ??= new Set());
    listeners.add(listener);
    if (this.#unheard.length > 0) queueMicrotask(() => this.#catchUp());
    return () => void listeners.delete(listener);
  }

  emit<Name extends keyof Events>(name: Name, ...args: Events[Name]): void {
    const listeners = [...(this.#listeners[name] ?? [])];
    if (listeners.length === 0 && this.#kept.has(name)) this.#unheard.push(() => this.emit(name, ...args));
    for (const listener of listeners) callSafely(() => listener(...args));
  }

  /** Emits what nobody had heard; what still nobody hears waits on. */
  #catchUp(): void {
    for (const emit of this.#unheard.splice(0)) emit();
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
