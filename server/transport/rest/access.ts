/**
 * The handlers of access lists and of revoked tokens.
 *
 * Not here: who may ask (access-guard.ts).
 */
import { ServiceError } from "../../../shared/errors.ts";
import { isoTime } from "../../../shared/iso-time.ts";
import { parsePath } from "../../../shared/path.ts";
import type { Acl, Grant, GrantChange } from "../../../shared/permission.ts";
import { aclRequestSchema, revocationRequestSchema, shareRequestSchema } from "../../../shared/protocol/rest-access.ts";
import type { AclBody, AclView, RevocationView, ShareBody } from "../../../shared/protocol/rest-access.ts";
import { noQuerySchema } from "../../../shared/protocol/rest.ts";
import type { Revocation } from "../../context-service.ts";
import { contextIdOf, json } from "./call.ts";
import type { Call, RestHandler, RestParts } from "./call.ts";
import { parseQuery, readBody } from "./request.ts";

export const accessHandlers = { read, replace, share, revoke, revocations } satisfies Record<string, RestHandler>;

async function read({ service }: RestParts, call: Call): Promise<Response> {
  parseQuery(noQuerySchema, call.request.url);
  return json(aclView(await service.access.acl(call.caller, contextIdOf(call))));
}

async function replace({ service }: RestParts, call: Call): Promise<Response> {
  const id = contextIdOf(call);
  parseQuery(noQuerySchema, call.request.url);
  const { grants } = await readBody(aclRequestSchema, call.request);
  return json(aclView(await service.access.setAcl(call.caller, id, { grants: grants.map(grantOf) })));
}

async function share({ service }: RestParts, call: Call): Promise<Response> {
  const id = contextIdOf(call);
  parseQuery(noQuerySchema, call.request.url);
  const { grants } = await readBody(shareRequestSchema, call.request);
  return json(aclView(await service.access.share(call.caller, id, grants.map(grantChangeOf))));
}

async function revoke({ service }: RestParts, call: Call): Promise<Response> {
  parseQuery(noQuerySchema, call.request.url);
  const { expiresAt, ...body } = await readBody(revocationRequestSchema, call.request);
  const request = { ...body, ...(expiresAt === undefined ? {} : { expiresAtMs: Date.parse(expiresAt) }) };
  const revocation = await service.server.tokens.revoke(call.caller, request);
  return json({ revocation: revocationView(revocation) }, { status: 201 });
}

async function revocations({ service }: RestParts, call: Call): Promise<Response> {
  parseQuery(noQuerySchema, call.request.url);
  const list = await service.server.tokens.revocations(call.caller);
  return json({ revocations: list.map(revocationView) });
}

/** In one order of members, so that the same list is the same. @throws {ServiceError} INVALID_REQUEST for what is no path */
function grantOf({ principal, role, paths }: AclBody["grants"][number]): Grant {
  for (const path of paths ?? []) parsePath(path);
  return { principal, role, ...(paths === undefined ? {} : { paths }) };
}

/** @throws {ServiceError} INVALID_REQUEST for what is no path, or a grant that there cannot be */
export function grantChangeOf({ principal, role, paths }: ShareBody["grants"][number]): GrantChange {
  if (paths !== undefined && role !== "writer")
    throw new ServiceError(
      "INVALID_REQUEST",
      "paths go with the role writer: readers read, and admins write, everywhere.",
    );
  for (const path of paths ?? []) parsePath(path);
  return { principal, role, ...(paths === undefined ? {} : { paths }) };
}

/** Before it is set for the first time, it has no line: its creator alone may. */
export function aclView({ grants }: Acl = { grants: [] }): AclView {
  return {
    grants: grants.map(({ paths, ...grant }) => ({ ...grant, ...(paths === undefined ? {} : { paths: [...paths] }) })),
  };
}

function revocationView({ revokedAtMs, expiresAtMs, ...rest }: Revocation): RevocationView {
  return {
    ...rest,
    revokedAt: isoTime(revokedAtMs),
    ...(expiresAtMs === undefined ? {} : { expiresAt: isoTime(expiresAtMs) }),
  };
}
