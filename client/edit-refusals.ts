/** Why local edits, or the session, are refused on this side. */
import { ServiceError } from "../shared/errors.ts";
import { LIMITS } from "../shared/limits.ts";

/** A data frame is its update and a few bytes more. */
export const UPDATE_BYTES_MAX = LIMITS.frameBytesMax - 16;

export function tooLarge(bytes: number): ServiceError {
  return new ServiceError(
    "TOO_LARGE",
    `One edit takes ${bytes} bytes, ${UPDATE_BYTES_MAX} are allowed. Make it in several transactions.`,
  );
}

export function withoutPlace(): ServiceError {
  return new ServiceError(
    "MALFORMED_UPDATE",
    "The edit builds on one that was refused, or on what somebody deleted. Make it again on the current content.",
  );
}

/** What the server says to readers, without asking it. */
export function readOnly(): ServiceError {
  return new ServiceError(
    "FORBIDDEN",
    "You may read this context, not write to it. Ask one of its admins for the role writer.",
    { details: { rule: "role", action: "write" } },
  );
}

export function otherActor(): ServiceError {
  return new ServiceError(
    "UNAUTHENTICATED",
    "The token is another actor's than this context was opened as. Open it with a client of theirs.",
    { details: { rule: "subject" } },
  );
}

export function recreated(): ServiceError {
  return new ServiceError(
    "EPOCH_CHANGED",
    "The context was deleted and made anew. Read it again and repeat the edits that still make sense.",
  );
}
