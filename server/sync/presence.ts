/**
 * Who is here: the presence table of one context, in the words of the awareness wire format.
 *
 * Invariants (PRES):
 *  1. A session speaks for one awareness id, the first unknown one it brings with a state; lines about others are ignored
 *     (stock clients repeat what they heard, so that is no offence).
 *  2. A line is taken only with a higher clock than the last one known of its id, also after the id has left, and never
 *     from another session while the one that speaks for it is there.
 *  3. What is not renewed within presenceTtlMs is gone; a session that ends takes its line with it.
 *  4. What a session says goes out at most at a rate, by its size: in between only the newest counts. A new id has a price, since
 *     ids that left are remembered for a while. States of a context are bounded together.
 *  5. Lines of sessions at other servers stand among ours, and are theirs to renew and to end. A client that comes here from
 *     there, or goes, takes its line with it: its actor speaks for both.
 *  6. Every state says under `actor` who speaks, as the server knows it, whatever the client wrote there.
 *
 * Not here: y-protocols' Awareness, which starts timers and reads the clock by itself; sending.
 */
import { ServiceError } from "../../shared/errors.ts";
import { isJsonObject } from "../../shared/json.ts";
import type { AwarenessEntry } from "../../shared/protocol/frames.ts";
import { LIMITS } from "../../shared/limits.ts";
import { TokenBucket } from "../state/token-bucket.ts";

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
  /** A session here spoke for it last. */
  isOurs: boolean;
  /** Of who spoke for it last. */
  pace: TokenBucket;
  renewedAtMs: number;
}

/** A session at another server. */
class Elsewhere implements Speaker {
  readonly info: { readonly actor: string };

  constructor(actor: string) {
    this.info = { actor };
  }
}

const GONE = "null";
/** `"actor":"…",` with every character escaped. */
const STAMP_CHARS_MAX = 2 * LIMITS.actorCharsMax + 12;
const PACE = { perS: LIMITS.presencePerS, burst: LIMITS.presenceBurst };
/** Of a new id; an honest session takes one. */
const NEW_ID_COST = 10;
/** y-protocols' clocks count renewals; this is 4,000 years of them, and leaves room for our own increments. */
const CLOCK_MAX = 2 ** 32;

export class Presence {
  readonly #lines = new Map<number, Line>();
  readonly #spokenFor = new Map<Speaker, Line>();
  readonly #changed = new Set<Line>();
  readonly #paces = new WeakMap<Speaker, TokenBucket>();
  /** Characters of all states. */
  #size = 0;

  /** Takes what `speaker` says. Returns lines that this speaker, and only it, must hear back (it is behind on its own id). */
  hear(speaker: Speaker, entries: readonly AwarenessEntry[], nowMs: number): readonly AwarenessEntry[] {
    const corrections: AwarenessEntry[] = [];
    for (const entry of entries) {
      const own = this.#spokenFor.get(speaker);
      const line = this.#lines.get(entry.yjsClientId);
      const isMoving = line !== undefined && movesTo(line, entry, speaker.info.actor);
      if (
        own === undefined
          ? !isMoving && !this.#mayBecome(line, entry, this.#paceOf(speaker, nowMs), nowMs)
          : own !== line
      )
        continue;
      if (line === undefined || entry.clock > line.clock) this.#take(speaker, line, entry, nowMs);
      // it left and comes back with its old clock: hearing of its own end makes a client raise the clock and say it again
      else if (line.speaker === undefined) corrections.push(toEntry(line));
    }
    return corrections;
  }

  /** Takes what another server says of its sessions. */
  hearPeer(entries: readonly AwarenessEntry[], nowMs: number): void {
    for (const entry of entries) {
      const line = this.#lines.get(entry.yjsClientId);
      if (line === undefined ? this.#lines.size >= LIMITS.connectionsMax : !this.#isTheirs(line, entry)) continue;
      if (entry.state === GONE) {
        if (line?.speaker === undefined) continue;
        this.#end(line, nowMs, entry.clock);
      } else {
        const actor = actorOf(entry.state);
        if (actor === undefined) continue;
        const pace = line?.pace ?? new TokenBucket(PACE, nowMs);
        this.#put(line, entry, { speaker: new Elsewhere(actor), pace, nowMs });
      }
    }
  }

  /** Whether another server may say this of the line. */
  #isTheirs(line: Line, entry: AwarenessEntry): boolean {
    if (entry.clock <= line.clock) return false;
    const isHere = line.speaker !== undefined && !(line.speaker instanceof Elsewhere);
    return !isHere || actorOf(entry.state) === line.speaker?.info.actor;
  }

  /** What sessions here said last. */
  ours(among: Iterable<AwarenessEntry> = this.allAndDeparted()): AwarenessEntry[] {
    return [...among].filter(({ yjsClientId }) => this.#lines.get(yjsClientId)?.isOurs === true);
  }

  /** Whether a session that speaks for nobody yet may speak for this line. */
  #mayBecome(line: Line | undefined, entry: AwarenessEntry, pace: TokenBucket, nowMs: number): boolean {
    if (entry.state === GONE || line?.speaker !== undefined || entry.clock > CLOCK_MAX) return false;
    return line !== undefined || (this.#lines.size < LIMITS.connectionsMax && pace.take(NEW_ID_COST, nowMs) === 0);
  }

  #paceOf(speaker: Speaker, nowMs: number): TokenBucket {
    let pace = this.#paces.get(speaker);
    if (pace === undefined) this.#paces.set(speaker, (pace = new TokenBucket(PACE, nowMs)));
    return pace;
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
      if (line.speaker === undefined) this.#forget(line);
      else this.#end(line, nowMs);
    }
  }

  #forget(line: Line): void {
    this.#size -= line.state.length;
    this.#lines.delete(line.yjsClientId);
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

  /** Lines that changed and may go out now. */
  takeChanges(nowMs: number): AwarenessEntry[] {
    const entries: AwarenessEntry[] = [];
    for (const line of this.#changed) {
      if (line.pace.take(costOf(line), nowMs) > 0) continue;
      this.#changed.delete(line);
      entries.push(toEntry(line));
    }
    return entries;
  }

  #take(speaker: Speaker, known: Line | undefined, entry: AwarenessEntry, nowMs: number): void {
    if (known !== undefined && entry.state === GONE) return this.#end(known, nowMs, entry.clock);
    const said = { ...entry, state: stamped(entry.state, speaker) };
    const line = this.#put(known, said, { speaker, pace: this.#paceOf(speaker, nowMs), nowMs });
    if (line !== undefined) this.#spokenFor.set(speaker, line);
  }

  /** Undefined when there is no room. */
  #put(
    known: Line | undefined,
    { yjsClientId, clock, state }: AwarenessEntry,
    { speaker, pace, nowMs }: { readonly speaker: Speaker; readonly pace: TokenBucket; readonly nowMs: number },
  ): Line | undefined {
    if (this.#size + state.length - (known?.state.length ?? 0) > LIMITS.presenceContextBytesMax) return undefined;
    const isOurs = !(speaker instanceof Elsewhere);
    const line: Line = known ?? { yjsClientId, clock, state: GONE, speaker, isOurs, pace, renewedAtMs: nowMs };
    if (line.speaker !== undefined && line.speaker !== speaker) this.#spokenFor.delete(line.speaker);
    this.#lines.set(yjsClientId, line);
    this.#say(line, state);
    line.clock = clock;
    line.speaker = speaker;
    line.isOurs = isOurs;
    line.pace = pace;
    line.renewedAtMs = nowMs;
    // renewals without news are passed on too: receivers expire what they do not hear of
    this.#changed.add(line);
    return line;
  }

  #say(line: Line, state: string): void {
    this.#size += state.length - line.state.length;
    line.state = state;
  }

  #end(line: Line, nowMs: number, clock: number = line.clock + 1): void {
    if (line.speaker !== undefined) this.#spokenFor.delete(line.speaker);
    line.clock = clock;
    this.#say(line, GONE);
    line.speaker = undefined;
    line.renewedAtMs = nowMs;
    this.#changed.add(line);
  }
}

/** Whether the client behind the line, which spoke at another server, goes on here. What is repeated has no higher clock. */
function movesTo({ speaker, clock }: Line, entry: AwarenessEntry, actor: string): boolean {
  return speaker instanceof Elsewhere && speaker.info.actor === actor && entry.state !== GONE && entry.clock > clock;
}

/** Whoever speaks in a state that a server has stamped. */
function actorOf(state: string): string | undefined {
  try {
    const said: unknown = JSON.parse(state);
    return isJsonObject(said) && typeof said["actor"] === "string" ? said["actor"] : undefined;
  } catch {
    return undefined;
  }
}

/** A state is passed on for its size; all else that is said costs the least. */
function costOf({ state }: Line): number {
  return Math.max(1, Math.ceil(state.length / 1024));
}

/**
 * JSON.parse and spread make own members of whatever name, so none of them means anything here.
 * Written anew, numbers may take more room (1e20).
 * @throws {ServiceError} TOO_LARGE
 */
function stamped(state: string, { info }: Speaker): string {
  const said: unknown = JSON.parse(state);
  const stated = JSON.stringify({ ...(isJsonObject(said) ? said : {}), actor: info.actor });
  if (stated.length <= LIMITS.presenceBytesMax + STAMP_CHARS_MAX) return stated;
  throw new ServiceError("TOO_LARGE", `A presence state may have ${LIMITS.presenceBytesMax} bytes.`);
}

function toEntry(line: Line): AwarenessEntry {
  return { yjsClientId: line.yjsClientId, clock: line.clock, state: line.state };
}
