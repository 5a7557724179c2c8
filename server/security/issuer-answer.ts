/**
 * Asks an identity provider for a JSON document, with bounds on what it may cost.
 *
 * Invariants (AUTH-8):
 *  1. It ends when `signal` aborts, wherever it stands; no more than the limit of an answer is held.
 *  2. Redirects are not followed: where keys come from is not for a network to say.
 *
 * Not here: what is asked and how often (issuer-keys.ts).
 */
import type { JsonObject } from "../../shared/json.ts";
import { isJsonObject } from "../../shared/json.ts";
import { LIMITS } from "../../shared/limits.ts";
import { parseJsonText } from "../../shared/protocol/json-text.ts";

export type Fetch = (url: string, init: RequestInit) => Promise<Response>;

/** Rejects with an Error for the log. */
export async function issuerAnswer(fetch: Fetch, url: string, signal: AbortSignal): Promise<JsonObject> {
  const response = await fetch(url, { headers: { accept: "application/json" }, redirect: "manual", signal });
  if (response.status !== 200) {
    await response.body?.cancel();
    throw new Error(`${url} answered with status ${response.status}, not 200`);
  }
  const json = parseJsonText(await textOf(response, url));
  if (!isJsonObject(json)) throw new Error(`${url} answered with JSON that is no object`);
  return json;
}

async function textOf({ body }: Response, url: string): Promise<string> {
  const decoder = new TextDecoder("utf-8", { fatal: true });
  let text = "";
  let bytes = 0;
  for await (const chunk of body ?? []) {
    bytes += chunk.byteLength;
    // leaving the loop cancels the rest
    if (bytes > LIMITS.issuerBytesMax) throw new Error(`${url} answered with more than ${LIMITS.issuerBytesMax} bytes`);
    text += decoder.decode(chunk, { stream: true });
  }
  return text + decoder.decode();
}
