/**
 * Which nodes there are, and whether words of one may be lost.
 *
 * Invariants (NODE):
 *  1. A node that listened and has no connection any more without having said goodbye may have written what it told nobody.
 *     What it sent the engine is done by then, or never will be.
 *  2. Who could not tell the others says so as soon as it can; those who have a line again heard nothing meanwhile.
 *  3. A node that stops says goodbye after its last word: nothing of it is lost.
 *
 * Not here: what is done about lost words (whoever asked for `onGap`), the connection (notice-line.ts).
 */
import { LIMITS } from "../../../../shared/limits.ts";
import type { Clock } from "../../../clock.ts";
import { NAMES_QUERY, nodesIn } from "../node-name.ts";
import type { Line } from "./notice-line.ts";

const CHANNEL = "mcm_roll";
const GOODBYE = "goodbye";
const UNTOLD = "untold";

export class RollCall {
  readonly #line: Line;
  readonly #clock: Pick<Clock, "setTimer">;
  readonly #gapListeners: (() => void)[] = [];
  /** They listened at some look since this one has its line. */
  #known: ReadonlySet<string> = new Set();
  /** They said goodbye. */
  readonly #leaving = new Set<string>();
  /** Others could not tell something: it is made known with the next look, since they often are many. */
  #isUntold = false;
  #cancelLook: (() => void) | undefined;

  /** After all others who have words for the line. */
  constructor(line: Line, clock: Pick<Clock, "setTimer">) {
    this.#line = line;
    this.#clock = clock;
    line.hear(CHANNEL, (word, node) => this.#heard(word, node));
    line.onJoined(() => this.#joined());
    line.onLost(() => this.#cancelLook?.());
    line.onLeaving(() => line.say(CHANNEL, GOODBYE));
  }

  /** Called when what was said, or hinted at, may have been missed. */
  onGap(listener: () => void): void {
    this.#gapListeners.push(listener);
  }

  /** The others that hear what is said from now on. @throws {Error} when the engine does not say */
  async others(): Promise<ReadonlySet<string>> {
    const { connected, listening } = nodesIn(namesIn(await this.#line.ask(NAMES_QUERY)));
    const others = new Set(listening);
    others.delete(this.#line.node);
    const lost = [...this.#known].filter((node) => !connected.has(node) && !this.#leaving.has(node));
    this.#known = new Set([...this.#known, ...others].filter((node) => connected.has(node)));
    for (const node of this.#leaving) if (!connected.has(node)) this.#leaving.delete(node);
    if (lost.length > 0) this.#gap();
    return others;
  }

  /** How many of them there were when the engine said so last. */
  get lastCount(): number {
    return this.#known.size;
  }

  /** Something was to be said and is not. */
  untold(): void {
    // a line that is lost says so itself
    this.#line.say(CHANNEL, UNTOLD).catch(() => undefined);
  }

  #joined(): void {
    this.#known = new Set();
    this.#leaving.clear();
    this.#isUntold = false;
    if (this.#line.rejoins > 0) this.untold();
    this.#gap();
    void this.#look();
  }

  #heard(word: string, node: string): void {
    if (word === GOODBYE) this.#leaving.add(node);
    if (word !== UNTOLD) return;
    this.#leaving.delete(node);
    this.#isUntold = true;
  }

  async #look(): Promise<void> {
    // that the engine does not say is noticed by the line itself
    await this.others().catch(() => undefined);
    if (!this.#line.isUp) return;
    this.#cancelLook?.();
    this.#cancelLook = this.#clock.setTimer(LIMITS.headsEveryMs, () => void this.#look());
    if (!this.#isUntold) return;
    this.#isUntold = false;
    this.#gap();
  }

  #gap(): void {
    for (const listener of this.#gapListeners) listener();
  }
}

function namesIn(row: unknown): string {
  return typeof row === "object" && row !== null && "names" in row && typeof row.names === "string" ? row.names : "";
}
