/**
 * Who wrote last what somebody points at.
 *
 * Invariants (PANEL):
 *  1. The server is asked when a pointer rests on a value, one question at a time: the value pointed at last.
 *  2. An answer counts until a change touches its path. A server that cannot answer now is asked again.
 */
import { signal } from "@preact/signals-core";
import type { BlameLine } from "../../../shared/history.ts";
import { toServiceError } from "../../../shared/errors.ts";
import { overlaps, parsePath } from "../../../shared/path.ts";
import type { Machine, Stop } from "./machine.ts";

/** So long a pointer rests before anybody is asked: working out the past is not free. */
const REST_MS = 180;
/** What is still pointed at is asked for again when it changed and somebody may be writing on. */
const AGAIN_MS = 800;
const KNOWN_MAX = 200;

/** Whoever knows. */
interface Historian {
  blame(path: string): Promise<readonly BlameLine[]>;
}

/** "none": nothing is known, as the history does not reach back so far. */
export type LastWriter = Pick<BlameLine, "actor" | "version" | "atMs" | "message"> | "none";

export class LastWriters {
  /** By path; of those that were asked for. */
  readonly known = signal<ReadonlyMap<string, LastWriter>>(new Map());
  readonly #historian: Historian;
  readonly #machine: Machine;
  #pointed: string | undefined;
  #wanted: string | undefined;
  #isAsking = false;
  #cancel: Stop = () => {};

  constructor(historian: Historian, machine: Machine) {
    this.#historian = historian;
    this.#machine = machine;
  }

  pointAt(path: string): void {
    this.#pointed = path;
    this.#cancel();
    if (!this.known.peek().has(path)) this.#askIn(REST_MS, path);
  }

  changed(paths: readonly string[]): void {
    const known = this.known.peek();
    if (known.size === 0) return;
    const touched = paths.map(parsePath);
    const kept = [...known].filter(([path]) => {
      const steps = parsePath(path);
      return !touched.some((other) => overlaps(other, steps));
    });
    if (kept.length === known.size) return;
    this.known.value = new Map(kept);
    const pointed = this.#pointed;
    if (pointed !== undefined && known.has(pointed) && !this.known.peek().has(pointed)) this.#askIn(AGAIN_MS, pointed);
  }

  stop(): void {
    this.#cancel();
    this.#wanted = undefined;
    this.#pointed = undefined;
  }

  #askIn(ms: number, path: string): void {
    this.#cancel();
    this.#cancel = this.#machine.after(ms, () => {
      this.#wanted = path;
      void this.#ask();
    });
  }

  async #ask(): Promise<void> {
    if (this.#isAsking) return;
    this.#isAsking = true;
    try {
      while (this.#wanted !== undefined) {
        const path = this.#wanted;
        this.#wanted = undefined;
        const writer = await this.#historian.blame(path).then(newestOf, unlessLater);
        if (writer !== undefined)
          this.known.value = new Map([...[...this.known.peek()].slice(-KNOWN_MAX), [path, writer]]);
        else if (path === this.#pointed) this.#askIn(AGAIN_MS, path);
      }
    } finally {
      this.#isAsking = false;
    }
  }
}

function newestOf(lines: readonly BlameLine[]): LastWriter {
  let newest: BlameLine | undefined;
  for (const line of lines) if ((line.version ?? -1) > (newest?.version ?? -1)) newest = line;
  return newest?.version === undefined ? "none" : newest;
}

/** What is gone meanwhile has no writer; undefined when it may be known later. */
function unlessLater(error: unknown): LastWriter | undefined {
  return toServiceError(error).retry === "later" ? undefined : "none";
}
