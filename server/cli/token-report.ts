/**
 * What a token says and what it is worth, for `mcm token inspect`.
 *
 * Invariants (AUTH-13):
 *  1. Whether its signature was checked is always said, and what was not checked is never called valid.
 *  2. The token itself is not in the report; control characters of its claims do not reach a terminal.
 *
 * Not here: the command line (commands/token.ts).
 */
import { decodeToken } from "../security/decode-token.ts";
import type { DecodedToken } from "../security/decode-token.ts";
import { JwtVerifier } from "../security/jwt-verifier.ts";
import { identityOf } from "../security/token-claims.ts";
import { tokenRefusal } from "../security/token-refusals.ts";
import { ServiceError } from "../../shared/errors.ts";
import type { Scope } from "../../shared/permission.ts";
import { safe } from "./output.ts";
import type { Colors } from "./output.ts";
import { grantText } from "./token-grants.ts";
import type { TokenKey } from "./token-key.ts";

type Identity = ReturnType<typeof identityOf>;

export interface TokenReport extends DecodedToken {
  /** `unchecked`: nothing is wrong with it, but there was no key to check its signature with. */
  readonly verdict: "valid" | "refused" | "unchecked";
  /** Why a server would refuse it. */
  readonly refusal?: ServiceError;
  /** As far as its claims make one. */
  readonly identity?: Identity;
}

/** @throws {ServiceError} UNAUTHENTICATED when there is nothing to read in it */
export async function reportOn(token: string, key: TokenKey | undefined, nowMs: number): Promise<TokenReport> {
  const decoded = decodeToken(token);
  const claimed = await attempt(async () => identityOf(decoded.claims, nowMs));
  const judged =
    key === undefined
      ? await attempt(async () => withinTime(decoded, claimed, nowMs))
      : await attempt(() => new JwtVerifier({ ...key, clock: { nowMs: () => nowMs } }).verify(token));
  const identity = claimed instanceof ServiceError ? {} : { identity: claimed };
  if (judged instanceof ServiceError) return { ...decoded, verdict: "refused", refusal: judged, ...identity };
  return { ...decoded, verdict: key === undefined ? "unchecked" : "valid", ...identity };
}

function withinTime({ claims }: DecodedToken, claimed: Identity | ServiceError, nowMs: number): Identity {
  const { exp } = claims;
  if (typeof exp === "number" && exp * 1000 <= nowMs) throw tokenRefusal("expired");
  if (claimed instanceof ServiceError) throw claimed;
  return claimed;
}

async function attempt<Result>(task: () => Promise<Result>): Promise<Result | ServiceError> {
  try {
    return await task();
  } catch (error) {
    if (error instanceof ServiceError) return error;
    throw error;
  }
}

export function reportJson({ header, claims, verdict, refusal }: TokenReport): object {
  const why = refusal === undefined ? {} : { refusal: { rule: refusal.details["rule"], message: refusal.message } };
  return { verdict, ...why, header, claims };
}

export function reportText({ claims, verdict, refusal, identity }: TokenReport, nowMs: number, color: Colors): string {
  const { aud, iss, sub, iat, exp, jti, name } = claims;
  const rows: [string, string | undefined][] = [
    ["subject", name === undefined ? text(sub) : `${text(sub) ?? ""} (${text(name) ?? ""})`],
    ["id", text(jti)],
    ["issuer", text(iss)],
    ["audience", Array.isArray(aud) ? aud.map(text).join(" ") : text(aud)],
    ["issued", time(iat, nowMs)],
    ["ends", time(exp, nowMs)],
    ["scopes", identity && ([...identity.scopes].join(" ") || "none")],
    ["may", identity && rights(identity.scopes)],
    ["contexts", identity && contextsText(identity)],
    [
      "signature",
      { valid: color.green("valid"), refused: undefined, unchecked: "not checked: there is no key at hand" }[verdict],
    ],
    ["refused", refusal && color.red(refusal.message)],
  ];
  const width = Math.max(...rows.map(([label]) => label.length));
  return rows
    .filter(([, value]) => value !== undefined)
    .map(([label, value = ""]) => `${color.dim(label.padEnd(width))}  ${value}`)
    .join("\n");
}

function rights(scopes: ReadonlySet<Scope>): string {
  if (!scopes.has("contexts:read")) return "do nothing: it lacks the scope contexts:read";
  const more = [
    scopes.has("contexts:write") ? ["change and lock"] : [],
    scopes.has("contexts:admin") ? ["administrate"] : [],
  ].flat();
  return ["read", ...more].join(", ");
}

function contextsText({ grants }: Identity): string {
  const others = "those that grant it by their access list";
  return grants.length === 0 ? others : `${grants.map(grantText).map(safe).join(" ")}, and ${others}`;
}

function text(value: unknown): string | undefined {
  if (value === undefined) return undefined;
  return safe(typeof value === "string" ? value : JSON.stringify(value));
}

function time(seconds: unknown, nowMs: number): string | undefined {
  if (typeof seconds !== "number") return text(seconds);
  const date = new Date(seconds * 1000);
  if (Number.isNaN(date.getTime())) return text(seconds);
  const leftMs = date.getTime() - nowMs;
  return `${date.toISOString()} (${leftMs < 0 ? `${span(-leftMs)} ago` : `in ${span(leftMs)}`})`;
}

/** In the largest unit of which there are two. */
function span(ms: number): string {
  const units = [
    ["days", 86_400_000],
    ["hours", 3_600_000],
    ["minutes", 60_000],
  ] as const;
  const [name, size] = units.find(([, unitMs]) => ms >= 2 * unitMs) ?? (["seconds", 1000] as const);
  return `${Math.round(ms / size)} ${name}`;
}
