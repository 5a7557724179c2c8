/**
 * Keeps secrets out of the log: fields that hold them, however deep and however spelled, and texts that contain them.
 *
 * Invariants (LOGGER):
 *  1. What a field of such a name holds is replaced whole. Names are compared without case, hyphens and underscores.
 *  2. In any text, what follows a token's name in a query string, a bearer's token, and whatever has the form of a JWT is replaced.
 *  3. Objects are looked at to a bounded depth and width; what lies beyond is not written.
 *
 * Fencing tokens are no secrets: whoever shows one must be its holder as well.
 */

const CENSORED = "[secret]";
const CUT = "[cut]";

const SECRET_NAMES = new Set([
  "token",
  "accesstoken",
  "refreshtoken",
  "idtoken",
  "authorization",
  "proxyauthorization",
  "cookie",
  "setcookie",
  "secret",
  "jwtsecret",
  "clientsecret",
  "webhooksecret",
  "alertwebhooksecret",
  "password",
  "apikey",
  "xapikey",
  "jwt",
  // a browser sends its token as a subprotocol
  "secwebsocketprotocol",
  "webhooksignature",
]);

/**
 * In a line of JSON: `?token=…`, `Bearer …`, the secret of a webhook, and whatever looks like a JWT. A JWT begins where no
 * word goes on, or behind an escape such as \n: looked for at each letter, a long text would take for ever.
 */
const SECRET_IN_TEXT =
  /([?&;](?:(?:access_|refresh_|id_)?token|secret|password|api_?key|jwt)=)[^&;\s"\\#]+|(Bearer\s+)[^\s"\\,]+|(?:(?<![\w-])|(?<=\\[bfnrt])|(?<=\\u[\da-f]{4}))(?:eyJ[\w-]+\.[\w-]+\.[\w-]*|whsec_[\w+/=-]+)/gi;

const DEPTH_MAX = 6;
const MEMBERS_MAX = 100;

export function redactedText(text: string): string {
  return text.replaceAll(
    SECRET_IN_TEXT,
    (_, parameter: string | undefined, scheme: string | undefined) => `${parameter ?? scheme ?? ""}${CENSORED}`,
  );
}

/** A copy without secrets in its fields. Errors are left as they are: they have no such fields, and their texts are redacted later. */
export function redactedFields(fields: Readonly<Record<string, unknown>>): Record<string, unknown> {
  return copyOf(fields, 1);
}

function copyOf(object: Readonly<Record<string, unknown>>, depth: number): Record<string, unknown> {
  const copy: Record<string, unknown> = {};
  let left = MEMBERS_MAX;
  for (const [name, value] of Object.entries(object)) {
    if (left-- === 0) break;
    copy[name] = isSecret(name) && value !== undefined ? CENSORED : valueOf(value, depth);
  }
  return copy;
}

function valueOf(value: unknown, depth: number): unknown {
  if (typeof value !== "object" || value === null || value instanceof Error) return value;
  if (depth >= DEPTH_MAX) return CUT;
  if ("toJSON" in value && typeof value.toJSON === "function") return valueOf(value.toJSON(), depth + 1);
  if (value instanceof Map) return copyOf(Object.fromEntries(value), depth + 1);
  if (value instanceof Headers) return copyOf(Object.fromEntries(value), depth + 1);
  if (Array.isArray(value)) return value.slice(0, MEMBERS_MAX).map((member: unknown) => valueOf(member, depth + 1));
  if (ArrayBuffer.isView(value)) return `${value.byteLength} bytes`;
  return copyOf({ ...value }, depth + 1);
}

function isSecret(name: string): boolean {
  return SECRET_NAMES.has(name.toLowerCase().replaceAll(/[-_]/g, ""));
}
