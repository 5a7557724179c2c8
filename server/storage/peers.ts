/**
 * Port: what the servers of one data say to each other beside the log, and who of them does what only one may do.
 *
 * Invariants:
 *  1. What is said is lossy: some servers may miss it, or hear it late. Nothing durable rests on it.
 *  2. What one server says another hears in its order. Whoever said it does not hear it.
 *  3. Of all servers at most one leads a thing, until it is told that it does no more, or ends. One that is dead or cut
 *     off leads nothing after a while, and another takes its place.
 *  4. A question has its answers after a bounded time, whoever is there, and says how many did not answer.
 *
 * Not here: what is said (each topic's own part).
 */
import type { Json } from "../../shared/json.ts";

/** Servers of different releases talk to each other: what a topic's messages mean never changes. */
export type PeerTopic = "contexts" | "holds" | "locks" | "presence" | "records" | "waiters";

/** The same holds for what questions and answers mean. */
export type PeerQuestion = "refusals" | "session" | "session.close" | "session.counts" | "sessions" | "webhooks";

export interface PeerAnswers {
  readonly answers: readonly Json[];
  /** So many other servers did not answer in time, or could not. */
  readonly silent: number;
}

export interface Leader {
  gained(): void;
  lost(): void;
}

export interface Peers {
  /** Costs the caller next to nothing, whether or not there are others. */
  say(topic: PeerTopic, message: Json): void;
  hear(topic: PeerTopic, listener: (message: Json) => void): void;
  /** Called when what another server said, or hinted at, may have been missed, or was to be said and was not. */
  onGap(listener: () => void): void;
  /** What all other servers answer. Where there are none that is known at once. */
  ask(about: PeerQuestion, question: Json): Promise<PeerAnswers>;
  /** How this one answers. What is thrown, or larger than peerAnswerCharsMax, is no answer. */
  answer(about: PeerQuestion, answer: (question: Json) => Json | Promise<Json>): void;
  /** Stands for the lead until the returned function is called, which gives it back; `lost` is not called by that. */
  lead(name: string, leader: Leader): () => Promise<void>;
}
