/**
 * The JSON body of a POST to /mcp: bounded while it is read, and strict JSON before any schema sees it.
 */
import { ServiceError, toServiceError } from "../../../../shared/errors.ts";
import type { Json } from "../../../../shared/json.ts";
import { mediaTypeOf, readJson } from "../../rest/request.ts";
import { unreadable } from "./rpc-response.ts";

/** Or the answer to what is no JSON. @throws {ServiceError} UNSUPPORTED_MEDIA_TYPE, TOO_LARGE, INVALID_REQUEST */
export async function jsonBodyOf(request: Request): Promise<Json | Response> {
  mediaTypeOf(request.headers, ["application/json"]);
  let body: Json;
  try {
    body = await readJson(request);
  } catch (error) {
    if (toServiceError(error).code === "INVALID_REQUEST") return unreadable(error);
    throw error;
  }
  if (body !== null && typeof body === "object") return body;
  throw new ServiceError("INVALID_REQUEST", "The body is no JSON-RPC message. Send an object, or an array of them.");
}
