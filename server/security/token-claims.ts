/**
 * What a token's claims say: from a payload whose signature, audience and end were checked to an Identity.
 *
 * Invariants (AUTH):
 *  1. What cannot be read exactly is refused: a misspelt `paths` must not turn into a grant of everything.
 *  2. Scopes that are not ours are passed over; identity providers have their own (`openid`).
 *  3. No token counts from a moment that has not come, or for longer than tokens may live: revocations rely on both.
 *
 * Not here: signature, audience, issuer, exp and nbf (verify-token.ts).
 */
import { z } from "zod";
import { ServiceError } from "../../shared/errors.ts";
import { parseActor } from "../../shared/ids.ts";
import type { Actor } from "../../shared/ids.ts";
import { LIMITS } from "../../shared/limits.ts";
import { parsePath } from "../../shared/path.ts";
import { EVERYBODY, isScope, ROLES } from "../../shared/permission.ts";
import type { Scope, TokenGrant } from "../../shared/permission.ts";
import type { Identity } from "../state/access/identity.ts";
import { tokenRefusal } from "./token-refusals.ts";
import { TOLERANCE_MS } from "./token-times.ts";

const CONTEXTS_CLAIM = "contexts";

/** Messages of our own throughout: zod's may quote what it found. */
const shortText = (charsMax: number, says: string) => z.string(says).min(1, says).max(charsMax, says);

const actor = shortText(LIMITS.actorCharsMax, "is not a valid actor name").transform((name, check): Actor => {
  if (name !== EVERYBODY) {
    try {
      return parseActor(name);
    } catch (error) {
      if (!(error instanceof ServiceError)) throw error;
    }
  }
  check.issues.push({ code: "custom", input: name, message: "is not a valid actor name" });
  return z.NEVER;
});

const path = z.string("is not a path").refine(isPath, "is not a path");

const grant = z
  .strictObject(
    {
      id: shortText(LIMITS.contextIdCharsMax, "is not a context id, in which * may stand").regex(
        /^[A-Za-z0-9*][A-Za-z0-9._:*-]*$/,
        "is not a context id, in which * may stand",
      ),
      role: z.enum(ROLES, `is none of: ${ROLES.join(", ")}`),
      paths: z
        .array(path, "is not a list of paths")
        .min(1, "is empty")
        .max(LIMITS.grantPathsMax, `has more than ${LIMITS.grantPathsMax} paths`)
        .exactOptional(),
    },
    "is not an object of id, role and perhaps paths",
  )
  .refine(({ role, paths }) => paths === undefined || role === "writer", {
    path: ["paths"],
    message: "goes with role writer only",
  });

const grants = z
  .array(grant, "is not a list of grants")
  .max(LIMITS.tokenGrantsMax, `has more than ${LIMITS.tokenGrantsMax} grants`);

/** RFC 6749 has one string with spaces, some providers a list. */
const scopes = z
  .union([z.string(), z.array(z.string())], "is neither a text nor a list of texts")
  .transform((given) => (typeof given === "string" ? given.split(" ") : given));

const seconds = z.number("is not a number of seconds");

/** `exp` and `iat` are numbers here already; the name is for people, so one that cannot be shown is left out. */
const claimsSchema = z.object({
  sub: actor,
  exp: seconds,
  iat: seconds.exactOptional(),
  jti: shortText(LIMITS.tokenIdCharsMax, "is not a text of a length that is taken").exactOptional(),
  name: z
    .string()
    .regex(/^[^\p{Cc}\p{Cs}]*$/u)
    .min(1)
    .max(LIMITS.nameCharsMax)
    .optional()
    .catch(undefined),
  scope: scopes.exactOptional(),
  scp: scopes.exactOptional(),
  contexts: grants.optional(),
});

/** @throws {ServiceError} UNAUTHENTICATED, rules claims, not-yet-valid and lifetime */
export function identityOf(
  payload: Readonly<Record<string, unknown>>,
  nowMs: number,
  contextsClaim = CONTEXTS_CLAIM,
): Identity {
  const parsed = claimsSchema.safeParse({ ...payload, contexts: payload[contextsClaim] });
  if (!parsed.success) throw claimsRefusal(parsed.error, contextsClaim);
  const { sub, exp, iat, jti, name, scope = [], scp = [], contexts = [] } = parsed.data;
  if (iat !== undefined && iat * 1000 > nowMs + TOLERANCE_MS) throw tokenRefusal("not-yet-valid");
  if (exp * 1000 > nowMs + LIMITS.tokenLifetimeMsMax + TOLERANCE_MS) throw tokenRefusal("lifetime");
  return {
    actor: sub,
    scopes: new Set<Scope>([...scope, ...scp].filter(isScope)),
    grants: contexts satisfies readonly TokenGrant[],
    isUnverified: false,
    expiresAtMs: exp * 1000,
    ...(name === undefined ? {} : { name }),
    ...(jti === undefined ? {} : { tokenId: jti }),
    ...(iat === undefined ? {} : { issuedAtMs: iat * 1000 }),
  };
}

/** Says the place and what is wrong there, in our words; a place has names that we know, and numbers. */
function claimsRefusal({ issues: [issue] }: z.ZodError, contextsClaim: string): ServiceError {
  const [first = "", ...rest] = (issue?.path ?? []).map(String);
  const claim = first === "contexts" ? contextsClaim : first;
  const what = issue?.code === "unrecognized_keys" ? "has a member that is none of: id, role, paths" : issue?.message;
  return tokenRefusal("claims", { claim, why: `Claim ${[claim, ...rest].join("/")} ${what}.` });
}

function isPath(text: string): boolean {
  try {
    parsePath(text);
    return true;
  } catch {
    return false;
  }
}
