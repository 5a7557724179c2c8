/**
 * Webhooks: the words for telling a target of the changes of contexts, by HTTP requests that the server sends.
 *
 * Not here: how they are delivered (server/webhooks), the wire shapes (protocol/rest-webhooks.ts).
 */
import type { Actor, ContextId } from "./ids.ts";

export interface Webhook {
  readonly id: string;
  readonly url: string;
  /** Patterns of context ids, in which `*` stands for any characters. */
  readonly contexts: readonly string[];
  /** Changes at, above or below one of them are told; all when absent. */
  readonly paths?: readonly string[];
  /** Names the secret with which requests are signed. */
  readonly keyId: string;
  readonly createdAtMs: number;
  readonly createdBy: Actor;
}

/**
 * `retrying`: the target takes nothing, and all wait for the next attempt. `paused`: somebody wants it so. `stopped`: it
 * failed for too long. What changes meanwhile is told later: nothing is lost as long as the history keeps it.
 */
export const WEBHOOK_STATES = ["active", "retrying", "paused", "stopped"] as const;
export type WebhookState = (typeof WEBHOOK_STATES)[number];

/** An attempt that failed. */
export interface DeliveryFault {
  readonly atMs: number;
  readonly contextId: ContextId;
  /** A clause, such as "it answered 500". */
  readonly message: string;
}

export interface WebhookStatus extends Webhook {
  readonly state: WebhookState;
  /** Attempts that failed since the target last took one. */
  readonly failures: number;
  readonly nextAttemptAtMs?: number;
  readonly lastDeliveryAtMs?: number;
  readonly lastError?: DeliveryFault;
  /** Contexts of which something is to be told, as far as it is known now. */
  readonly behind: number;
  readonly deadLetters: number;
}

/** How far a webhook has come with a context. */
export interface WebhookPosition {
  readonly contextId: ContextId;
  /** Told up to here. */
  readonly version: number;
  /** The context's; absent when it is deleted. */
  readonly currentVersion?: number;
  /** Attempts at the next delivery that failed. */
  readonly failures: number;
  readonly nextAttemptAtMs?: number;
}

/** Why versions are not told: the history does not keep them any more, their context is gone, or they are in a dead letter. */
export const GAP_REASONS = ["thinned", "deleted", "dead-letter"] as const;

/** Versions that are not told. Both ends are among them. */
export interface DeliveryGap {
  readonly from: number;
  readonly to: number;
  readonly reason: (typeof GAP_REASONS)[number];
}

/** A delivery that was given up, so that the context could go on. */
export interface DeadLetter {
  readonly deliveryId: string;
  readonly contextId: ContextId;
  /** Of it are changes with fromVersion <= version <= toVersion; toVersion is smaller when there are none. */
  readonly fromVersion: number;
  readonly toVersion: number;
  readonly attempts: number;
  readonly error: string;
  readonly atMs: number;
}

export interface WebhookReport extends WebhookStatus {
  /** Some of the contexts that are behind. */
  readonly positions: readonly WebhookPosition[];
  /** Oldest first. */
  readonly oldestDeadLetters: readonly DeadLetter[];
}
