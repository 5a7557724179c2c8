/**
 * What nodes say to each other beside the log: JSON on a channel of the database.
 *
 *   presence {"…": …}        a message for each line; a notice holds as many as fit
 *   +presence {"…":          of one that is longer, each piece but the last begins with a plus
 *
 * Invariants (those of the port, peers.ts), and
 *  1. While a notice is under way what is said gathers, up to a bound; beyond it the oldest gives way, and the others are told so.
 *
 * Not here: the connection (notice-line.ts).
 */
import type { Json } from "../../../shared/json.ts";
import { LIMITS } from "../../../shared/limits.ts";
import type { Clock } from "../../clock.ts";
import type { Leader, Peers, PeerTopic } from "../peers.ts";
import { Leadership } from "./leadership.ts";
import { NOTICE_BYTES_MAX } from "./notice-line.ts";
import type { Line } from "./notice-line.ts";
import { RollCall } from "./roll-call.ts";

const CHANNEL = "mcm_peers";
const MORE = "+";

export class PeerLine implements Peers {
  readonly #line: Line;
  readonly #leadership: Leadership;
  readonly #roll: RollCall;
  readonly #listeners = new Map<PeerTopic, (message: Json) => void>();
  readonly #waiting: string[] = [];
  #waitingChars = 0;
  /** Beginnings of messages, of each sender. */
  readonly #pieces = new Map<string, string>();
  #sending: Promise<void> | undefined;
  /** Some words gave way. */
  #isOverfull = false;

  constructor(line: Line, clock: Clock) {
    this.#line = line;
    this.#leadership = new Leadership(line, clock);
    line.hear(CHANNEL, (message, sender) => this.#heard(message, sender));
    line.onLost(() => {
      this.#waiting.length = 0;
      this.#waitingChars = 0;
      this.#pieces.clear();
    });
    line.onLeaving(async () => this.#sending);
    this.#roll = new RollCall(line, clock);
  }

  say(topic: PeerTopic, message: Json): void {
    if (!this.#line.isUp) return;
    const text = `${topic} ${asciiOf(JSON.stringify(message))}`;
    this.#waiting.push(text);
    this.#waitingChars += text.length;
    for (; this.#waitingChars > LIMITS.peerQueueCharsMax; this.#isOverfull = true) this.#take();
    if (this.#waiting.length > 0) this.#sending ??= this.#send();
  }

  hear(topic: PeerTopic, listener: (message: Json) => void): void {
    this.#listeners.set(topic, listener);
  }

  onGap(listener: () => void): void {
    this.#roll.onGap(listener);
  }

  lead(name: string, leader: Leader): () => Promise<void> {
    return this.#leadership.stand(name, leader);
  }

  async #send(): Promise<void> {
    try {
      while (this.#waiting.length > 0) for (const notice of this.#notices()) await this.#line.say(CHANNEL, notice);
    } catch {
      // the line was lost, and what waited with it
    } finally {
      this.#sending = undefined;
    }
    if (this.#isOverfull) this.#roll.untold();
    this.#isOverfull = false;
  }

  /** As many messages as fit into one, or one message in pieces. */
  #notices(): readonly string[] {
    const lines: string[] = [];
    let left = NOTICE_BYTES_MAX;
    for (let next = this.#waiting[0]; next !== undefined && next.length < left; next = this.#waiting[0]) {
      left -= next.length + 1;
      lines.push(this.#take());
    }
    return lines.length > 0 ? [lines.join("\n")] : piecesOf(this.#take());
  }

  #take(): string {
    const text = this.#waiting.shift() ?? "";
    this.#waitingChars -= text.length;
    return text;
  }

  #heard(notice: string, sender: string): void {
    if (notice.startsWith(MORE)) {
      const known = this.#pieces.get(sender) ?? "";
      // whoever says more than that to one message is not of this release
      if (known.length < LIMITS.peerQueueCharsMax) this.#pieces.set(sender, known + notice.slice(MORE.length));
      return;
    }
    const whole = `${this.#pieces.get(sender) ?? ""}${notice}`;
    this.#pieces.delete(sender);
    for (const line of whole.split("\n")) this.#hearLine(line);
  }

  #hearLine(line: string): void {
    const at = line.indexOf(" ");
    for (const [topic, listener] of this.#listeners)
      if (topic === line.slice(0, at)) listener(parsed(line.slice(at + 1)));
  }
}

/** A byte for each character: it can be cut anywhere. */
function asciiOf(json: string): string {
  return json.replace(/[\u0080-\uffff]/g, (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, "0")}`);
}

function piecesOf(text: string): readonly string[] {
  const size = NOTICE_BYTES_MAX - MORE.length;
  const pieces = Array.from({ length: Math.ceil(text.length / size) }, (_, at) =>
    text.slice(at * size, (at + 1) * size),
  );
  return pieces.map((piece, at) => (at < pieces.length - 1 ? `${MORE}${piece}` : piece));
}

/** A piece of a message that began before the line was joined is none. */
function parsed(text: string): Json {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}
