/**
 * Questions to all other nodes. A question is told to all, an answer to who asked.
 *
 *     {"id":"7c9e…","about":"sessions","question":{…}}
 *     {"id":"7c9e…","answer":[…]}                           without `answer`: it cannot say
 *
 * Invariants:
 *  1. Who asks is answered when all have who listened when it asked, or after peerAnswerMs.
 *  2. So many questions of a node are open at once; what is asked beyond that is answered by nobody.
 *
 * Not here: what is asked (the topics of peers.ts), how it is told (peer-line.ts), who listens (roll-call.ts).
 */
import { isJsonObject } from "../../../../shared/json.ts";
import type { Json } from "../../../../shared/json.ts";
import { LIMITS } from "../../../../shared/limits.ts";
import type { Clock } from "../../../clock.ts";
import type { PeerAnswers, PeerQuestion } from "../../peers.ts";
import { asciiJson } from "./ascii-json.ts";

type Answerer = (question: Json) => Json | Promise<Json>;

interface QuestionsOptions {
  readonly clock: Pick<Clock, "newId" | "setTimer">;
  /** Who hears what is told from now on, and who did when the engine said so last. */
  readonly roll: { others(): Promise<ReadonlySet<string>>; readonly lastCount: number };
  readonly tellAll: (message: string) => void;
  readonly tell: (node: string, message: string) => void;
}

interface Open {
  /** They have not answered. */
  readonly left: Set<string>;
  readonly answers: Json[];
  /** They cannot say. */
  mute: number;
  readonly end: () => void;
}

export class Questions {
  readonly #options: QuestionsOptions;
  readonly #answerers = new Map<string, Answerer>();
  readonly #open = new Map<string, Open>();

  constructor(options: QuestionsOptions) {
    this.#options = options;
  }

  answer(about: PeerQuestion, answerer: Answerer): void {
    this.#answerers.set(about, answerer);
  }

  async ask(about: PeerQuestion, question: Json): Promise<PeerAnswers> {
    const { clock, roll, tellAll } = this.#options;
    const others = await roll.others().catch(() => undefined);
    const count = others?.size ?? roll.lastCount;
    if (others === undefined || count === 0) return { answers: [], silent: count };
    const id = clock.newId();
    const message = asciiJson({ id, about, question });
    if (this.#open.size >= LIMITS.peerQuestionsMax || message.length > LIMITS.peerAnswerCharsMax)
      return { answers: [], silent: count };
    return new Promise((resolve) => {
      const left = new Set(others);
      const end = (): void => {
        cancel();
        this.#open.delete(id);
        resolve({ answers: open.answers, silent: open.mute + left.size });
      };
      const open: Open = { left, answers: [], mute: 0, end };
      const cancel = clock.setTimer(LIMITS.peerAnswerMs, end);
      this.#open.set(id, open);
      tellAll(message);
    });
  }

  /** Nobody hears what is asked, or is heard. */
  giveUp(): void {
    for (const { end } of [...this.#open.values()]) end();
  }

  async asked(message: Json, asker: string): Promise<void> {
    if (!isJsonObject(message)) return;
    const { id, about, question = null } = message;
    if (typeof id !== "string" || typeof about !== "string") return;
    const told = asciiJson({ id, answer: await this.#answerOf(about, question) });
    this.#options.tell(asker, told.length <= LIMITS.peerAnswerCharsMax ? told : asciiJson({ id }));
  }

  answered(message: Json, node: string): void {
    if (!isJsonObject(message)) return;
    const { id, answer } = message;
    const open = typeof id === "string" ? this.#open.get(id) : undefined;
    if (open?.left.delete(node) !== true) return;
    if (answer === undefined) open.mute++;
    else open.answers.push(answer);
    if (open.left.size === 0) open.end();
  }

  /** Undefined where a question is of another release, or its answer fails. */
  async #answerOf(about: string, question: Json): Promise<Json | undefined> {
    try {
      return await this.#answerers.get(about)?.(question);
    } catch {
      return undefined;
    }
  }
}
