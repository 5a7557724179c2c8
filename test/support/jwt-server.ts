/** A server in mode `jwt`, whose clock is the test's, and tokens for it. */
import { randomUUID } from "node:crypto";
import { issueToken } from "../../server/security/issue-token.ts";
import type { NewToken } from "../../server/security/issue-token.ts";
import { secretKeyOf } from "../../server/security/own-key.ts";
import { SCOPES } from "../../shared/permission.ts";
import type { Grant } from "../../shared/permission.ts";
import { ManualClock } from "./manual-clock.ts";
import { startTestServer } from "./running-server.ts";
import type { TestServer } from "./running-server.ts";
import { AUDIENCE, SECRET } from "./tokens.ts";

/** How long a token lasts unless a test says otherwise. */
export const TOKEN_MS = 600_000;

type Claims = Partial<Pick<NewToken, "scopes" | "grants" | "lifetimeMs">>;

export interface JwtServer extends TestServer {
  readonly clock: ManualClock;
  /** A token with all scopes, which grants nothing by itself. */
  token(subject: string, claims?: Claims): Promise<string>;
  /** Replaces a context's access list, in its creator's name. */
  grant(contextId: string, creator: string, ...grants: readonly Grant[]): Promise<void>;
  /** Of all tokens that a subject has now. */
  revoke(subject: string): Promise<void>;
}

export async function startJwtServer(dataDir?: string): Promise<JwtServer> {
  const clock = new ManualClock();
  const server = await startTestServer(dataDir, { clock, environment: { MCM_AUTH: "jwt", MCM_JWT_SECRET: SECRET } });
  const token = async (subject: string, claims: Claims = {}): Promise<string> => {
    const all = { subject, audience: AUDIENCE, scopes: SCOPES, grants: [], lifetimeMs: TOKEN_MS, ...claims };
    const issuing = { key: secretKeyOf(SECRET), claims: all, nowMs: clock.nowMs(), tokenId: randomUUID() };
    return (await issueToken(issuing)).token;
  };
  const send = async (bearer: string, method: string, path: string, body: object): Promise<void> => {
    const headers = { "content-type": "application/json", authorization: `Bearer ${bearer}` };
    const response = await fetch(server.url + path, { method, headers, body: JSON.stringify(body) });
    if (!response.ok) throw new Error(`${method} ${path} gave ${response.status}: ${await response.text()}`);
  };
  return {
    ...server,
    clock,
    token,
    grant: async (contextId, creator, ...grants) =>
      send(await token(creator), "PUT", `/v1/contexts/${contextId}/acl`, { grants }),
    revoke: async (subject) => {
      const root = await token("root", { grants: [{ id: "*", role: "admin" }] });
      return send(root, "POST", "/v1/revocations", { subject });
    },
  };
}
