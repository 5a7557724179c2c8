/**
 * Attacks on identity over real sockets: each named, each with what the attacker sees, while an honest client works on.
 *
 * Not here: attacks on frames and connections (attacks.test.ts), every shape of a bad token (test/unit/jwt-verifier.test.ts).
 */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import * as Y from "yjs";
import {
  encodeAwareness,
  encodeRequest,
  encodeStep1,
  encodeToken,
  encodeUpdate,
} from "../../shared/protocol/frames.ts";
import { SUBPROTOCOL } from "../../shared/protocol/version.ts";
import { frame, openRawSocket } from "../support/raw-socket.ts";
import type { RawSocket } from "../support/raw-socket.ts";
import { startSecureServer } from "../support/secure-server.ts";
import type { SecureServer } from "../support/secure-server.ts";
import { openStockClient } from "../support/stock-client.ts";
import type { StockClient } from "../support/stock-client.ts";
import { until } from "../support/running-server.ts";
import { assemble, claimsAt, keyPair, OTHER_SECRET, SECRET, sign } from "../support/tokens.ts";
import { secretKeyOf } from "../../server/security/own-key.ts";

let server: SecureServer;
let [ann, bob] = ["", ""];
let honest: StockClient;
let beats = 0;

beforeAll(async () => {
  server = await startSecureServer();
  [ann, bob] = [await server.token("ann"), await server.token("bob")];
  await server.call(ann, "POST", "/v1/contexts", { id: "plan", data: { beat: 0 } });
  await server.call(ann, "PUT", "/v1/contexts/plan/acl", { grants: [{ principal: "bob", role: "reader" }] });
  honest = openStockClient({ url: server.url, contextId: "plan", token: ann });
  await honest.synced();
});
afterAll(async () => {
  honest.close();
  await server.close();
});

/** Somebody who has nothing to do with the attack still writes, and it is durable. */
async function worksOn(): Promise<void> {
  const value = ++beats;
  const changed = await server.call(ann, "PATCH", "/v1/contexts/plan", {
    changes: [{ op: "add", path: "/beat", value }],
  });
  expect(changed.status).toBe(200);
  await until(honest.doc, () => honest.doc.getMap("data").get("beat") === value);
}

const nowS = (): number => Math.floor(Date.now() / 1000);
const claims = (changes: Record<string, unknown> = {}) =>
  claimsAt(Date.now(), { sub: "ann", scope: "contexts:read contexts:write contexts:admin", ...changes });

/** What each attacker shows, and the rule that refuses it. */
const TOKENS: Readonly<Record<string, readonly [rule: string, token: () => Promise<string> | string]>> = {
  "no signature (alg none)": ["algorithm", () => assemble({ alg: "none", typ: "JWT" }, claims(), "")],
  "alg NONE in other letters": ["algorithm", () => assemble({ alg: "nOnE", typ: "JWT" }, claims(), "")],
  "another key": ["signature", () => sign(claims(), secretKeyOf(OTHER_SECRET).key)],
  "a key pair's algorithm": ["algorithm", () => sign(claims(), keyPair("rsa").privateKey, { alg: "RS256" })],
  "a stronger hash of the same secret": [
    "algorithm",
    () => sign(claims(), Buffer.from(SECRET.repeat(2)), { alg: "HS512" }),
  ],
  "claims changed after signing": [
    "signature",
    async () => {
      const [head, , tail] = bob.split(".");
      return `${head}.${assemble({}, claims()).split(".")[1]}.${tail}`;
    },
  ],
  "a token that is over": ["expired", () => sign(claims({ iat: nowS() - 7200, exp: nowS() - 3600 }))],
  "a token without an end": ["claims", () => sign(claims({ exp: undefined }))],
  "an end a hundred years off": ["lifetime", () => sign(claims({ exp: nowS() + 3_155_760_000 }))],
  "a token for another service": ["audience", () => sign(claims({ aud: "somebody-else" }))],
  "a token for nobody in particular": ["claims", () => sign(claims({ aud: undefined }))],
  "a token without a subject": ["claims", () => sign(claims({ sub: undefined }))],
  "everybody as subject": ["claims", () => sign(claims({ sub: "*" }))],
  "a subject with a line break": ["claims", () => sign(claims({ sub: "ann\nbob" }))],
  "grants that are misspelt": ["claims", () => sign(claims({ contexts: [{ id: "*", role: "writer", path: ["/a"] }] }))],
  "__proto__ among the claims": [
    "claims",
    () =>
      sign(
        JSON.parse(
          JSON.stringify(claims({ contexts: "x" })).replace('"x"', '[{"__proto__":{"role":"admin"},"id":"*"}]'),
        ),
      ),
  ],
  "a header that must be understood": [
    "algorithm",
    () => assemble({ alg: "HS256", typ: "JWT", crit: ["kept"], kept: 1 }, claims()),
  ],
  "a logout token": ["type", () => sign(claims(), undefined, { typ: "logout+jwt" })],
  noise: ["malformed", () => "not.a.token"],
  "8,193 characters": ["too-long", () => "x".repeat(8193)],
};

describe.each(Object.entries(TOKENS))("[AUTH-34] %s", (_name, [rule, make]) => {
  test("gets 401 from HTTP and 4401 from a socket, with the rule, and nothing of the token back", async () => {
    const token = await make();
    const answer = await server.call(token, "GET", "/v1/contexts/plan");
    expect([answer.status, answer.body]).toMatchObject([401, { code: "UNAUTHENTICATED", details: { rule } }]);
    expect(answer.headers.get("www-authenticate")).toBe('Bearer error="invalid_token"');
    const socket = await openRawSocket(server.url, "/sync/plan", { Authorization: `Bearer ${token}` });
    expect(await socket.closeCode()).toBe(4401);
    const said = JSON.stringify([answer.body, server.logger.entries]);
    for (const part of token.split(".").filter(({ length }) => length > 8)) expect(said).not.toContain(part);
    await worksOn();
  });
});

test("[AUTH-34] no token at all, an empty one, another scheme: 401, and what is wanted", async () => {
  for (const headers of [
    {},
    { authorization: "Bearer " },
    { authorization: `Basic ${btoa("ann:x")}` },
    { authorization: ann },
  ]) {
    const response = await fetch(`${server.url}/v1/contexts/plan`, { headers: { ...headers, "mcm-actor": "ann" } });
    expect([response.status, response.headers.get("www-authenticate")]).toEqual([401, "Bearer"]);
  }
  const socket = await openRawSocket(server.url, "/sync/plan?actor=ann");
  expect(await socket.closeCode()).toBe(4401);
  await worksOn();
});

describe("somebody with a token of their own", () => {
  async function session(token: string): Promise<RawSocket> {
    const headers = { Authorization: `Bearer ${token}`, "Sec-WebSocket-Protocol": SUBPROTOCOL };
    const socket = await openRawSocket(server.url, "/sync/plan", headers);
    await socket.until((message) => message[0] === 100);
    return socket;
  }
  const send = (socket: RawSocket, message: Uint8Array): void => socket.write(frame(message));
  /** An edit of who has `known` already. */
  const writing = (clientId: number, change: (data: Y.Map<unknown>) => void, known = new Y.Doc()): Uint8Array => {
    const doc = new Y.Doc();
    Y.applyUpdate(doc, Y.encodeStateAsUpdate(known));
    doc.clientID = clientId;
    const before = Y.encodeStateVector(doc);
    change(doc.getMap("data"));
    return encodeUpdate(Y.encodeStateAsUpdate(doc, before));
  };

  test("[ACL-5] a reader that writes is closed with 4403, and nothing of it is kept", async () => {
    const socket = await session(bob);
    send(
      socket,
      writing(77, (data) => data.set("secret", 1)),
    );
    expect(await socket.closeCode()).toBe(4403);
    const { body } = await server.call(ann, "GET", "/v1/contexts/plan");
    expect(body["data"]).not.toHaveProperty("secret");
    await worksOn();
  });

  test("[STATE-2] one that writes under another's Yjs client id is closed with 4403", async () => {
    await server.call(ann, "PUT", "/v1/contexts/plan/acl", { grants: [{ principal: "bob", role: "writer" }] });
    honest.doc.getMap("data").set("mine", 1);
    const mine = honest.doc.clientID;
    const others = openStockClient({ url: server.url, contextId: "plan", token: ann });
    await others.synced();
    await until(others.doc, () => others.doc.getMap("data").get("mine") === 1);
    const socket = await session(bob);
    send(
      socket,
      writing(mine, (data) => data.set("a", 1), honest.doc),
    );
    expect(await socket.closeCode()).toBe(4403);
    others.close();
    await server.call(ann, "PUT", "/v1/contexts/plan/acl", { grants: [{ principal: "bob", role: "reader" }] });
    await worksOn();
  });

  test("[PRES-1] [PRES-5] one that speaks for others in presence is not heard, and never as somebody else", async () => {
    honest.provider.awareness.setLocalState({ user: "ann" });
    const socket = await session(bob);
    const own = 4711;
    const victim = honest.doc.clientID;
    const lies = [
      { yjsClientId: own, clock: 1, state: '{"actor":"ann","user":"ann"}' },
      { yjsClientId: victim, clock: 1000, state: "null" },
    ];
    const heard = new Promise<void>((resolve) => {
      honest.provider.awareness.on("change", () => honest.provider.awareness.getStates().has(own) && resolve());
    });
    send(socket, encodeAwareness(lies));
    await heard;
    expect(honest.provider.awareness.getStates().get(own)).toEqual({ actor: "bob", user: "ann" });
    expect(honest.provider.awareness.getStates().get(victim)).toEqual({ user: "ann" });
    socket.destroy();
    await worksOn();
  });

  test("[ACL-10] one that shows another's token in its session is closed with 4401", async () => {
    const socket = await session(bob);
    send(socket, encodeToken(ann));
    expect(await socket.closeCode()).toBe(4401);
    await worksOn();
  });

  test("[ACL-2] [ACL-4] one that asks by request for what it may not do is refused, and stays", async () => {
    const socket = await session(bob);
    const change = { changes: [{ op: "add", path: "/secret", value: 1 }] };
    const refused = socket.until((message) => message[0] === 105 && Buffer.from(message).includes("FORBIDDEN"));
    send(socket, encodeRequest(1, "change", change));
    await refused;
    const lock = socket.until((message) => message[0] === 105 && Buffer.from(message).includes("FORBIDDEN"));
    send(socket, encodeRequest(2, "lock", { paths: [""] }));
    await lock;
    const answered = socket.until((message) => message[0] === 0 && message[1] === 1);
    send(socket, encodeStep1(new Uint8Array([0])));
    await answered;
    socket.destroy();
    await worksOn();
  });

  test("[ACL-12] one that would make itself admin is refused", async () => {
    const grants = [{ principal: "bob", role: "admin" }];
    const answer = await server.call(bob, "PUT", "/v1/contexts/plan/acl", { grants });
    expect([answer.status, answer.body.code]).toEqual([403, "FORBIDDEN"]);
    await worksOn();
  });
});
