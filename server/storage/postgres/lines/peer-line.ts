/**
 * What nodes say to each other beside the log: JSON on channels of the database, one of all nodes and one of each.
 *
 *   presence {"…": …}        a message for each line; a notice holds as many as fit
 *   +presence {"…":          of one that is longer, each piece but the last begins with a plus
 *
 * Invariants (those of the port, peers.ts), and
 *  1. While a notice is under way what is said gathers, up to a bound; beyond it the oldest gives way, and the others are told so.
 *
 * Not here: the connection (notice-line.ts), who hears it (roll-call.ts), what answers (questions.ts).
 */
import type { Json } from "../../../../shared/json.ts";
import { LIMITS } from "../../../../shared/limits.ts";
import type { Clock } from "../../../clock.ts";
import type { Leader, PeerAnswers, PeerQuestion, Peers, PeerTopic } from "../../peers.ts";
import { asciiJson } from "./ascii-json.ts";
import { Leadership } from "./leadership.ts";
import { NOTICE_BYTES_MAX } from "./notice-line.ts";
import type { Line } from "./notice-line.ts";
import { Questions } from "./questions.ts";
import { RollCall } from "./roll-call.ts";

const CHANNEL = "mcm_peers";
const MORE = "+";
/** Beside the topics. */
const ASK = "ask";
const ANSWER = "answer";

interface Waiting {
  readonly channel: string;
  readonly text: string;
}

export class PeerLine implements Peers {
  readonly #line: Line;
  readonly #leadership: Leadership;
  readonly #roll: RollCall;
  readonly #questions: Questions;
  readonly #listeners = new Map<string, (message: Json, sender: string) => void>();
  readonly #waiting: Waiting[] = [];
  #waitingChars = 0;
  /** Beginnings of messages, of each sender. */
  readonly #pieces = new Map<string, string>();
  #sending: Promise<void> | undefined;
  /** Some words gave way. */
  #isOverfull = false;

  constructor(line: Line, clock: Clock) {
    this.#line = line;
    this.#leadership = new Leadership(line, clock);
    for (const channel of [CHANNEL, channelOf(line.node)])
      line.hear(channel, (message, sender) => this.#heard(message, sender));
    line.onLost(() => {
      this.#waiting.length = 0;
      this.#waitingChars = 0;
      this.#pieces.clear();
      this.#questions.giveUp();
    });
    line.onLeaving(async () => this.#sending);
    this.#roll = new RollCall(line, clock);
    const questions = new Questions({
      clock,
      roll: this.#roll,
      tellAll: (message) => this.#add(CHANNEL, ASK, message),
      tell: (node, message) => this.#add(channelOf(node), ANSWER, message),
    });
    this.#listeners.set(ASK, (message, sender) => void questions.asked(message, sender));
    this.#listeners.set(ANSWER, (message, sender) => questions.answered(message, sender));
    this.#questions = questions;
  }

  say(topic: PeerTopic, message: Json): void {
    this.#add(CHANNEL, topic, asciiJson(message));
  }

  hear(topic: PeerTopic, listener: (message: Json) => void): void {
    this.#listeners.set(topic, listener);
  }

  onGap(listener: () => void): void {
    this.#roll.onGap(listener);
  }

  ask(about: PeerQuestion, question: Json): Promise<PeerAnswers> {
    return this.#questions.ask(about, question);
  }

  answer(about: PeerQuestion, answer: (question: Json) => Json | Promise<Json>): void {
    this.#questions.answer(about, answer);
  }

  lead(name: string, leader: Leader): () => Promise<void> {
    return this.#leadership.stand(name, leader);
  }

  #add(channel: string, word: string, json: string): void {
    if (!this.#line.isUp) return;
    const text = `${word} ${json}`;
    this.#waiting.push({ channel, text });
    this.#waitingChars += text.length;
    for (; this.#waitingChars > LIMITS.peerQueueCharsMax; this.#isOverfull = true) this.#take();
    if (this.#waiting.length > 0) this.#sending ??= this.#send();
  }

  async #send(): Promise<void> {
    try {
      for (let next = this.#waiting[0]; next !== undefined; next = this.#waiting[0]) {
        const { channel } = next;
        for (const notice of this.#notices(channel)) await this.#line.say(channel, notice);
      }
    } catch {
      // the line was lost, and what waited with it
    } finally {
      this.#sending = undefined;
    }
    if (this.#isOverfull) this.#roll.untold();
    this.#isOverfull = false;
  }

  /** As many messages to one channel as fit into a notice, or one message in pieces. */
  #notices(channel: string): readonly string[] {
    const lines: string[] = [];
    let left = NOTICE_BYTES_MAX;
    const first = (): Waiting | undefined => this.#waiting[0];
    for (let next = first(); next?.channel === channel && next.text.length < left; next = first()) {
      left -= next.text.length + 1;
      lines.push(this.#take());
    }
    return lines.length > 0 ? [lines.join("\n")] : piecesOf(this.#take());
  }

  #take(): string {
    const { text = "" } = this.#waiting.shift() ?? {};
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
    for (const line of whole.split("\n")) this.#hearLine(line, sender);
  }

  #hearLine(line: string, sender: string): void {
    const at = line.indexOf(" ");
    this.#listeners.get(line.slice(0, at))?.(parsed(line.slice(at + 1)), sender);
  }
}

function channelOf(node: string): string {
  return `mcm_node_${node}`;
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
