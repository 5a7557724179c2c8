/**
 * The one refusal for a context that is not there or may not be seen: whoever asks must not learn which of the two it is.
 */
import { ServiceError } from "../../shared/errors.ts";

export function contextNotFound(): ServiceError {
  return new ServiceError(
    "CONTEXT_NOT_FOUND",
    "There is no such context, or you may not read it. Check the id, or create it first.",
  );
}
