/**
 * Traffic of a live session: the words for what went over its wire, seen from the server, without what it carried.
 *
 * Not here: reading frames (server/sync/frame-facts.ts), the wire shapes (protocol/rest-traffic.ts).
 */
import type { JsonObject } from "./json.ts";
import type { SessionStats } from "./monitoring.ts";

/** Frames by the names that PROTOCOL.md gives them; of a sync message, by its step. `unknown` is none of them. */
export const FRAME_NAMES = [
  "step1",
  "step2",
  "update",
  "awareness",
  "auth",
  "query-awareness",
  "hello",
  "ack",
  "rejected",
  "commit",
  "request",
  "response",
  "event",
  "token",
  "base",
  "unknown",
] as const;
export type FrameName = (typeof FRAME_NAMES)[number];

/** `in`: the client said it. */
export const FRAME_DIRECTIONS = ["in", "out"] as const;
export type FrameDirection = (typeof FRAME_DIRECTIONS)[number];

export interface SessionFrame {
  readonly direction: FrameDirection;
  readonly atMs: number;
  readonly type: FrameName;
  readonly bytes: number;
  /** Ids, clocks, numbers, paths and codes in it, by the type. Never content, never a token. */
  readonly facts: JsonObject;
}

/** How a session ended. */
export interface SessionEnd {
  readonly atMs: number;
  readonly by: "server" | "client";
  /** Absent when the connection broke without saying it. */
  readonly closeCode?: number;
  /** Of the server: code of the error table and sentence. What a client says is not told. */
  readonly reason?: string;
}

export type TrafficEvent =
  | { readonly kind: "frame"; readonly frame: SessionFrame }
  /** So many frames came here that the reader was too slow for. */
  | { readonly kind: "missed"; readonly frames: number }
  /** The last one. */
  | { readonly kind: "ended"; readonly end: SessionEnd };

/** A session as it was when somebody began to follow it, and its traffic from then on. */
export interface FollowedSession {
  readonly stats: SessionStats;
  readonly events: AsyncIterable<TrafficEvent>;
}
