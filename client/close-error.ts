/**
 * What a WebSocket close frame of the server says, as the error of the table (shared/errors.ts).
 *
 * The server's reason is "CODE: sentence", cut at 120 bytes. Proxies close with reasons of their own: then the close code
 * alone decides.
 */
import { ServiceError, isErrorCode } from "../shared/errors.ts";
import type { ErrorCode } from "../shared/errors.ts";

/** Another token may be taken. */
export const UNAUTHENTICATED = 4401;

const CODE_OF_CLOSE: Readonly<Record<number, ErrorCode>> = {
  4400: "MALFORMED_FRAME",
  [UNAUTHENTICATED]: "UNAUTHENTICATED",
  4403: "FORBIDDEN",
  4404: "CONTEXT_NOT_FOUND",
  4409: "EPOCH_CHANGED",
  4413: "TOO_LARGE",
  4429: "RATE_LIMITED",
};

export interface CloseFrame {
  readonly code: number;
  readonly reason: string;
}

/** True when connecting again cannot help: 44xx, but not 4429, which only asks for a pause. */
export function isTerminalClose(code: number): boolean {
  return code >= 4400 && code < 4500 && code !== 4429;
}

export function closeError({ code, reason }: CloseFrame): ServiceError {
  const at = reason.indexOf(": ");
  const name = reason.slice(0, Math.max(0, at));
  if (isErrorCode(name)) return new ServiceError(name, reason.slice(at + 2), { details: { closeCode: code } });
  const message = `The server ended the session (${code}${reason === "" ? "" : `, "${reason}"`}). Open the context again after looking into it.`;
  return new ServiceError(CODE_OF_CLOSE[code] ?? "INTERNAL", message, { details: { closeCode: code } });
}
