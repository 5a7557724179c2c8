/**
 * Who is here: the presence table of one context, in the words of the awareness wire format.
 *
 * Invariants (PRES):
 *  1. A session speaks for one awareness id, the first unknown one it brings with a state; lines about others are ignored
 *     (stock clients repeat what they heard, so that is no offence).
 *  2. A line is taken only with a higher clock than the last one known of its id, also after the id has left, and never
 *     from another session while the one that speaks for it is there.
 *  3. What is not renewed within presenceTtlMs is gone; a session that ends takes its line with it.
 *  4. Every state says under `actor` who speaks, as the server knows it, whatever the client wrote there.
 *
 * Not here: y-protocols' Awareness, which starts timers and reads the clock by itself; sending.
 */
import { isJsonObject } from "../../shared/json.ts";
import type { AwarenessEntry } from "../../shared/protocol/frames.ts";
import { LIMITS } from "../../shared/limits.ts";

/** Who says something: a session. */
export interface Speaker {
  readonly info: { readonly actor: string };
}

interface Line {
  readonly yjsClientId: number;
  clock: number;
  /** JSON text; "null" once it has left. */
  state: string;
  /** The session that speaks for it; undefined once it has left. */
  speaker: Speaker | undefined;
  renewedAtMs: number;
}

const GONE = "null";
/** y-protocols' clocks count renewals; this is 4,000 years of them, and leaves room for our own increments. */
const CLOCK_MAX = 2 ** 32;

export class Presence {
  readonly #lines = new Map<number, Line>();
  readonly #spokenFor = new Map<Speaker, Line>();
  readonly #changed = new Set<number>();

  /** Takes what `speaker` says. Returns lines that this speaker, and only it, must hear back (it is behind on its own id). */
  hear(speaker: Speaker, entries: readonly AwarenessEntry[], nowMs: number): readonly AwarenessEntry[] {
    const corrections: AwarenessEntry[] = [];
    for (const entry of entries) {
      const own = this.#spokenFor.get(speaker);
      const line = this.#lines.get(entry.yjsClientId);
      if (own === undefined ? !this.#mayBecome(line, entry) : own !== line) continue;
      if (line === undefined || entry.clock > line.clock) this.#take(speaker, line, entry, nowMs);
      // it left and comes back with its old clock: hearing of its own end makes a client raise the clock and say it again
      else if (line.speaker === undefined) corrections.push(toEntry(line));
    }
    return corrections;
  }

  /** Whether a session that speaks for nobody yet may speak for this line. */
  #mayBecome(line: Line | undefined, entry: AwarenessEntry): boolean {
    if (entry.state === GONE || line?.speaker !== undefined) return false;
    return entry.clock <= CLOCK_MAX && (line !== undefined || this.#lines.size < LIMITS.connectionsMax);
  }

  /** The session ended: its line leaves. */
  leave(speaker: Speaker, nowMs: number): void {
    const line = this.#spokenFor.get(speaker);
    if (line !== undefined && line.speaker === speaker) this.#end(line, nowMs);
    this.#spokenFor.delete(speaker);
  }

  /** Ends lines that were not renewed in time, and forgets those that left long ago. */
  expire(nowMs: number): void {
    for (const line of this.#lines.values()) {
      if (nowMs - line.renewedAtMs < LIMITS.presenceTtlMs) continue;
      if (line.speaker === undefined) this.#lines.delete(line.yjsClientId);
      else this.#end(line, nowMs);
    }
  }

  /** Everybody who is here. */
  all(): AwarenessEntry[] {
    return [...this.#lines.values()].filter((line) => line.speaker !== undefined).map(toEntry);
  }

  /** Everybody who is here, and who left lately: for a receiver that may have missed that. */
  allAndDeparted(): AwarenessEntry[] {
    return [...this.#lines.values()].map(toEntry);
  }

  get hasChanges(): boolean {
    return this.#changed.size > 0;
  }

  /** Lines that changed since the last call. */
  takeChanges(): AwarenessEntry[] {
    const entries: AwarenessEntry[] = [];
    for (const id of this.#changed) {
      const line = this.#lines.get(id);
      if (line !== undefined) entries.push(toEntry(line));
    }
    this.#changed.clear();
    return entries;
  }

  #take(speaker: Speaker, known: Line | undefined, entry: AwarenessEntry, nowMs: number): void {
    const line: Line = known ?? { yjsClientId: entry.yjsClientId, clock: 0, state: GONE, speaker, renewedAtMs: nowMs };
    this.#lines.set(line.yjsClientId, line);
    if (entry.state === GONE) {
      this.#end(line, nowMs, entry.clock);
      return;
    }
    line.clock = entry.clock;
    line.state = stamped(entry.state, speaker);
    line.speaker = speaker;
    line.renewedAtMs = nowMs;
    this.#spokenFor.set(speaker, line);
    // renewals without news are passed on too: receivers expire what they do not hear of
    this.#changed.add(line.yjsClientId);
  }

  #end(line: Line, nowMs: number, clock: number = line.clock + 1): void {
    if (line.speaker !== undefined) this.#spokenFor.delete(line.speaker);
    line.clock = clock;
    line.state = GONE;
    line.speaker = undefined;
    line.renewedAtMs = nowMs;
    this.#changed.add(line.yjsClientId);
  }
}

/** JSON.parse and spread make own members of whatever name, so none of them means anything here. */
function stamped(state: string, { info }: Speaker): string {
  const said: unknown = JSON.parse(state);
  return JSON.stringify({ ...(isJsonObject(said) ? said : {}), actor: info.actor });
}

function toEntry(line: Line): AwarenessEntry {
  return { yjsClientId: line.yjsClientId, clock: line.clock, state: line.state };
}
