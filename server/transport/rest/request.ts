/**
 * What comes in with a request: body, query and headers into checked values, or a refusal that names the place.
 *
 * Invariants (REST-10 … REST-13):
 *  1. No more of a body than the limit is ever held, whatever its headers say.
 *  2. JSON is bounded and checked as text before any schema sees it.
 *
 * Not here: what a header means (preconditions.ts), rules about content (the core).
 */
import type { z } from "zod";
import { ServiceError } from "../../../shared/errors.ts";
import type { Json } from "../../../shared/json.ts";
import { LIMITS } from "../../../shared/limits.ts";
import { escapeStep } from "../../../shared/path.ts";
import { parseJsonText } from "../../../shared/protocol/json-text.ts";
import { refuseHeader } from "./preconditions.ts";

/** How many faults of one request are told. */
const ISSUES_MAX = 10;

/**
 * The body's media type, one of `accepted`, without parameters.
 * Only UTF-8 and no compression are read; that a body must name a JSON type also keeps web pages of others from sending one unasked.
 * @throws {ServiceError} UNSUPPORTED_MEDIA_TYPE
 */
export function mediaTypeOf<Type extends string>(headers: Headers, accepted: readonly Type[]): Type {
  const header = headers.get("content-type") ?? "";
  const [essence = "", ...parameters] = header.split(";").map((part) => part.trim().toLowerCase());
  const found = accepted.find((type) => type === essence);
  const charset = parameters.find((parameter) => parameter.startsWith("charset="));
  const isUtf8 = charset === undefined || /^charset="?utf-?8"?$/.test(charset);
  const encoding = headers.get("content-encoding") ?? "identity";
  if (found !== undefined && isUtf8 && encoding === "identity") return found;
  const got =
    found === undefined
      ? essence === ""
        ? "none was given"
        : "it is another one"
      : "with charset UTF-8 and no content-encoding";
  throw new ServiceError(
    "UNSUPPORTED_MEDIA_TYPE",
    `The body's Content-Type must be ${accepted.join(" or ")} (${got}).`,
    {
      details: { accepted },
    },
  );
}

/** The body of a request that writes nothing into the data. @throws {ServiceError} those of readWriteBody */
export async function readBody<Schema extends z.ZodType>(schema: Schema, request: Request): Promise<z.output<Schema>> {
  refuseHeader(request.headers, "Lock-Token", "It writes nothing that a lock protects.");
  return readWriteBody(schema, request);
}

/**
 * The body of a writing request that is neither conditional nor repeatable under a key.
 * @throws {ServiceError} INVALID_REQUEST, TOO_LARGE, UNSUPPORTED_MEDIA_TYPE
 */
export async function readWriteBody<Schema extends z.ZodType>(
  schema: Schema,
  request: Request,
): Promise<z.output<Schema>> {
  refuseHeader(request.headers, "If-Match", "It acts on what is there when it comes.");
  refuseHeader(
    request.headers,
    "Idempotency-Key",
    "After a lost answer, look at what is there before you send it again.",
  );
  mediaTypeOf(request.headers, ["application/json"]);
  return parseAs(schema, await readJson(request), "body");
}

/** @throws {ServiceError} TOO_LARGE, INVALID_REQUEST */
export async function readJson(
  request: Request,
  limits: { readonly bytesMax: number; readonly nestingMax?: number } = { bytesMax: LIMITS.bodyBytesMax },
): Promise<Json> {
  const bytes = await readBytes(request, limits.bytesMax);
  return parseJsonText(decodeUtf8(bytes), limits.nestingMax);
}

/**
 * An oversized body is read on, up to a bound, and thrown away: a client that is cut while sending never sees the refusal.
 * @throws {ServiceError} TOO_LARGE
 */
export async function readBytes(request: Request, bytesMax: number): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  let length = 0;
  try {
    for await (const chunk of request.body ?? []) {
      length += chunk.byteLength;
      if (length > bytesMax + LIMITS.bodyDrainBytesMax) break;
      if (length <= bytesMax) chunks.push(chunk);
    }
  } catch (cause) {
    // nothing of ours failed, and nobody is there to be told
    throw new ServiceError("CLOSED", "The connection ended before the body did.", { cause });
  }
  if (length > bytesMax) throw tooLarge(bytesMax);
  return Buffer.concat(chunks, length);
}

function tooLarge(bytesMax: number): ServiceError {
  return new ServiceError(
    "TOO_LARGE",
    `The body is larger than ${bytesMax} bytes. Send it in several smaller changes.`,
    {
      details: { limitBytes: bytesMax },
    },
  );
}

function decodeUtf8(bytes: Uint8Array): string {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    throw new ServiceError("INVALID_REQUEST", "The body is not valid UTF-8. Encode it as UTF-8.");
  }
}

/** The query against its schema; a parameter given twice is refused. @throws {ServiceError} INVALID_REQUEST */
export function parseQuery<Schema extends z.ZodType>(schema: Schema, url: string): z.output<Schema> {
  const { searchParams } = new URL(url);
  const names = [...searchParams.keys()];
  const twice = names.find((name, index) => names.indexOf(name) < index);
  if (twice !== undefined) throw new ServiceError("INVALID_REQUEST", `The query has '${twice}' twice. Give it once.`);
  return parseAs(schema, Object.fromEntries(searchParams), "query");
}

/** @throws {ServiceError} INVALID_REQUEST with details {issues: [{at, message}]}, `at` being a JSON Pointer into the value */
export function parseAs<Schema extends z.ZodType>(
  schema: Schema,
  value: unknown,
  what: "body" | "query" | "address",
): z.output<Schema> {
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  const issues = parsed.error.issues.slice(0, ISSUES_MAX).map(({ path, message }) => ({
    at: path.map((step) => `/${escapeStep(String(step))}`).join(""),
    message,
  }));
  const [first = { at: "", message: "" }] = issues;
  const place = first.at === "" ? `The ${what}` : `The ${what}'s ${first.at}`;
  throw new ServiceError("INVALID_REQUEST", `${place} is not of the documented form: ${first.message}.`, {
    details: { issues },
  });
}
