/**
 * Attacks through what JSON, names and addresses say, and by pages of other sites (P8): each named, each with what the attacker
 * sees, while an honest client on the same server works on.
 *
 * Not here: attacks on connections and frames (attacks.test.ts), on identity (token-attacks.test.ts).
 */
import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import * as Y from "yjs";
import { FRAME, encodeAwareness, encodeRequest, encodeUpdate } from "../../shared/protocol/frames.ts";
import { SUBPROTOCOL } from "../../shared/protocol/version.ts";
import { openBystander } from "../support/bystander.ts";
import type { Bystander } from "../support/bystander.ts";
import { openHttpText, requestText } from "../support/http-text.ts";
import { frame, openRawSocket } from "../support/raw-socket.ts";
import { createContext, startTestServer } from "../support/running-server.ts";
import { startSecureServer } from "../support/secure-server.ts";
import type { SecureServer } from "../support/secure-server.ts";

let server: SecureServer;
let bystander: Bystander;
let token = "";
let admin = "";
let folder = "";

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "mcm-attacks-"));
  server = await startSecureServer(join(folder, "data"));
  [token, admin] = [await server.token("mallory"), await server.admin()];
  bystander = await openBystander(server, "garden");
  expect((await server.call(token, "POST", "/v1/contexts", { id: "den", data: { a: {} } })).status).toBe(201);
});
afterAll(async () => {
  bystander.close();
  await server.close();
  await rm(folder, { recursive: true, force: true });
});

/** Nothing that everything inherits from was touched, and an honest client works on. */
afterEach(async () => {
  expect(({} as Record<string, unknown>)["polluted"]).toBeUndefined();
  expect(Object.keys(Object.prototype)).toEqual([]);
  await bystander.worksOn();
});

const send = async (method: string, path: string, body: string, type = "application/json") => {
  const headers = { authorization: `Bearer ${path.startsWith("/v1/types") ? admin : token}`, "content-type": type };
  const response = await fetch(`${server.url}${path}`, { method, headers, body });
  return { status: response.status, text: await response.text() };
};
const socket = (protocol = {}) => openRawSocket(server.url, `/sync/den?token=${token}`, protocol);
const dataOf = async (path = "") =>
  (await server.call(token, "GET", `/v1/contexts/den?path=${encodeURIComponent(path)}`)).body["data"];

describe("[EDGE-14] names that mean something to JavaScript", () => {
  const PROTO = '{"__proto__": {"polluted": true}}';

  test.each<[string, string, string, string, string?]>([
    ["the data of a new context", "POST", "/v1/contexts", `{"id": "x1", "data": ${PROTO}}`],
    ["a new context", "POST", "/v1/contexts", `{"id": "x2", "__proto__": {"polluted": true}}`],
    ["a value", "PATCH", "/v1/contexts/den", `{"changes": [{"op": "add", "path": "/b", "value": ${PROTO}}]}`],
    [
      "a value, deeper",
      "PATCH",
      "/v1/contexts/den",
      `{"changes": [{"op": "add", "path": "/b", "value": [{"c": ${PROTO}}]}]}`,
    ],
    [
      "a step of a path",
      "PATCH",
      "/v1/contexts/den",
      `{"changes": [{"op": "add", "path": "/__proto__/polluted", "value": true}]}`,
    ],
    [
      "the last step of a path",
      "PATCH",
      "/v1/contexts/den",
      `{"changes": [{"op": "add", "path": "/__proto__", "value": {}}]}`,
    ],
    [
      "a path of a constructor",
      "PATCH",
      "/v1/contexts/den",
      `{"changes": [{"op": "add", "path": "/constructor/prototype/polluted", "value": true}]}`,
    ],
    [
      "a path inside an object",
      "PATCH",
      "/v1/contexts/den",
      `{"changes": [{"op": "add", "path": "/a/__proto__/polluted", "value": true}]}`,
    ],
    [
      "where a value is moved to",
      "PATCH",
      "/v1/contexts/den",
      `{"changes": [{"op": "move", "from": "/a", "path": "/__proto__/polluted"}]}`,
    ],
    ["a merge", "PATCH", "/v1/contexts/den", `{"changes": [{"op": "merge", "path": "", "value": ${PROTO}}]}`],
    [
      "a JSON Patch",
      "PATCH",
      "/v1/contexts/den",
      `[{"op": "add", "path": "/__proto__/polluted", "value": true}]`,
      "application/json-patch+json",
    ],
    [
      "an operation",
      "PATCH",
      "/v1/contexts/den",
      `{"changes": [{"op": "add", "path": "/b", "value": 1, "__proto__": {}}]}`,
    ],
    ["a Merge Patch", "PATCH", "/v1/contexts/den", PROTO, "application/merge-patch+json"],
    [
      "a Merge Patch, escaped",
      "PATCH",
      "/v1/contexts/den",
      '{"\\u005f_proto__": {"polluted": true}}',
      "application/merge-patch+json",
    ],
    ["a lock", "POST", "/v1/contexts/den/locks", `{"paths": ["/a"], "__proto__": {"polluted": true}}`],
    ["an access list", "PUT", "/v1/contexts/den/acl", `{"grants": [], "__proto__": {"polluted": true}}`],
    ["a schema", "PUT", "/v1/types/x", `{"schema": {"type": "object", "properties": ${PROTO}}}`],
    ["a schema's reference", "PUT", "/v1/types/x", `{"schema": {"$ref": "#/__proto__/polluted"}}`],
  ])("__proto__ in %s is refused", async (_what, ...[method, path, body, type]) => {
    const { status, text } = await send(method, path, body, type);
    expect([400, 422]).toContain(status);
    expect(JSON.parse(text)).toMatchObject({ code: expect.any(String), retry: expect.any(String) });
  });

  const NAMES = [
    "constructor",
    "prototype",
    "toString",
    "hasOwnProperty",
    "valueOf",
    "__defineGetter__",
    "then",
    "toJSON",
  ];

  test("other such names are names like others: in data, types, locks, checkpoints, tags and lists", async () => {
    const value = Object.fromEntries(NAMES.map((name) => [name, { [name]: name }]));
    const changes = NAMES.map((name) => ({ op: "add", path: `/${name}`, value: value[name] }));
    expect((await server.call(token, "PATCH", "/v1/contexts/den", { changes })).status).toBe(200);
    expect(await dataOf()).toMatchObject(value);
    for (const name of NAMES) {
      expect(await dataOf(`/${name}/${name}`)).toBe(name);
      const at = `/v1/contexts/den`;
      const lock = await server.call(token, "POST", `${at}/locks`, { paths: [`/${name}`], purpose: "__proto__" });
      expect([lock.status, lock.body["purpose"]]).toEqual([201, "__proto__"]);
      expect((await server.call(token, "DELETE", `${at}/locks/${String(lock.body["lockId"])}`)).status).toBe(204);
      expect((await server.call(token, "GET", `${at}?path=/nothing/${name}`)).status).toBe(422);
      const schema = { type: "object", properties: { [name]: { type: "object" } }, required: [name] };
      if (/^[a-z]/i.test(name)) {
        expect((await server.call(token, "POST", `${at}/checkpoints`, { name })).status).toBe(201);
        expect([200, 201]).toContain((await server.call(admin, "PUT", `/v1/types/${name}`, { schema })).status);
        const typed = await server.call(token, "POST", "/v1/contexts", {
          id: name,
          type: name,
          tags: [name],
          data: {},
        });
        expect([typed.status, typed.body.code]).toEqual([422, "SCHEMA_VIOLATION"]);
        const made = await server.call(token, "POST", "/v1/contexts", {
          id: name,
          tags: [name],
          name,
          data: { [name]: {} },
        });
        expect(made.status).toBe(201);
      }
    }
    const grants = NAMES.map((principal) => ({ principal, role: "reader" }));
    expect((await server.call(token, "PUT", "/v1/contexts/den/acl", { grants })).body).toEqual({ grants });
    const found = await server.call(token, "GET", "/v1/contexts?tag=constructor");
    expect(found.body).toMatchObject({ contexts: [{ id: "constructor" }] });
  });

  test.each(["__proto__", "constructor", "toString"])(
    "the context, type, lock, conflict and checkpoint %s is not there",
    async (name) => {
      for (const path of [
        `/v1/contexts/${name}x`,
        `/v1/types/${name}x`,
        `/v1/contexts/garden/checkpoints/${name}`,
        `/v1/contexts/den/conflicts/${name}/resolve`,
        `/v1/contexts/den/locks/${name}`,
        `/v1/${name}`,
        `/${name}`,
      ]) {
        const { status } = await server.call(token, "GET", path);
        expect([path, [400, 404, 405].includes(status)]).toEqual([path, true]);
      }
    },
  );

  test("in queries", async () => {
    for (const query of ["__proto__=1", "constructor=1", "__proto__[polluted]=1", "limit=1&limit=2", "tag=__proto__"]) {
      const { status } = await server.call(token, "GET", `/v1/contexts?${query}`);
      expect([query, status]).toEqual([query, query.startsWith("tag") ? 200 : 400]);
    }
  });

  test("in requests of live sessions", async () => {
    const raw = await socket({ "Sec-WebSocket-Protocol": SUBPROTOCOL });
    // by request: what is refused at once may be answered before what has to wait for its turn
    const answers = new Map<number | undefined, string>();
    const done = raw.until((message) => {
      if (message[0] === FRAME.response) answers.set(message[1], Buffer.from(message.subarray(2)).toString("utf8"));
      return answers.size === 4;
    });
    const params = (text: string) => JSON.parse(text);
    raw.write(
      frame(encodeRequest(1, "change", params(`{"changes": [{"op": "add", "path": "/b", "value": ${PROTO}}]}`))),
    );
    raw.write(frame(encodeRequest(2, "change", params(`{"changes": [], "__proto__": {"polluted": true}}`))));
    raw.write(frame(encodeRequest(3, "__proto__", {})));
    raw.write(frame(encodeRequest(4, "lock", params(`{"paths": ["/x/__proto__"], "purpose": "constructor"}`))));
    await done;
    expect(answers.get(1)).toContain("INVALID_CHANGE");
    expect(answers.get(2)).toContain("INVALID_REQUEST");
    expect(answers.get(3)).toContain("There is no method");
    expect(answers.get(4)).toContain("/x/__proto__");
    raw.destroy();
  });

  test("in presence they are what they are called; as a key of a live edit __proto__ is refused, others are not", async () => {
    const raw = await socket();
    const state = '{"__proto__": {"polluted": true}, "constructor": {"prototype": {"polluted": true}}}';
    raw.write(frame(encodeAwareness([{ yjsClientId: 1, clock: 1, state }])));
    const doc = new Y.Doc();
    const edited = () => frame(encodeUpdate(Y.encodeStateAsUpdate(doc)));
    doc.getMap("data").set("live", new Y.Map([["constructor", "own"]]));
    raw.write(edited());
    await expect.poll(() => dataOf("/live")).toEqual({ constructor: "own" });
    doc.getMap("data").set("worse", new Y.Map([["__proto__", "own"]]));
    raw.write(edited());
    expect(await raw.closeCode()).toBe(4400);
    expect(Object.keys(Object(await dataOf()))).not.toContain("worse");
  });
});

describe("[EDGE-14] addresses and names", () => {
  const auth = () => `Authorization: Bearer ${token}`;

  test.each([
    "/v1/contexts/../../../../etc/passwd",
    "/v1/contexts/..%2f..%2f..%2fetc%2fpasswd",
    "/v1/contexts/..%5c..%5cetc%5cpasswd",
    "/v1/contexts/%2e%2e/%2e%2e/etc/passwd",
    "/v1/contexts/den%00.json",
    "/v1/contexts/den%2Fchanges",
    "/v1/contexts/.",
    "/v1/contexts/%",
    "/v1/contexts/%ff%fe",
    "/v1/contexts/%E2%80%AE",
    "/v1/types/..%2f..%2fpackage.json",
    "/panel/../../package.json",
    "/../data/LOCK",
    "//etc/passwd",
    "/v1//contexts/den",
    "/V1/contexts/den",
    "http://127.0.0.1/../etc/passwd",
    "file:///etc/passwd",
  ])("%s gives nothing", async (path) => {
    const line = await openHttpText(server.url, requestText(server.url, `GET ${path}`, [auth(), "Connection: close"]));
    const answer = await line.ended();
    expect(answer).toMatch(/^HTTP\/1\.1 40[04] /);
    expect(answer).not.toContain("root:");
    expect(answer).toMatch(/content-type: application\/problem\+json|content-length: 0/i);
  });

  test.each([
    "..%2f..%2fetc",
    "..",
    "%2e%2e",
    "den%00",
    "den%0d%0aX-Injected:%20y",
    "den/../garden",
    "den%2f..%2fgarden",
  ])("/sync/%s opens nothing", async (id) => {
    const outcome = openRawSocket(server.url, `/sync/${id}?create=true&token=${token}`).then((raw) => raw.closeCode());
    const code = await outcome.catch((error: unknown) => String(error));
    // whose address is another context's is told that there is none: it is not for them
    expect(code).toSatisfy((it: unknown) => it === 4400 || it === 4404 || String(it).includes("404"));
  });

  test("a context cannot be called like a path, and the data folder holds what it held", async () => {
    const before = await readdir(folder, { recursive: true });
    for (const id of ["../x", "..", "a/b", "a\\b", "C:\\x", "a\0b", ".hidden", "-rf", "con\n", "x".repeat(129), ""]) {
      const { status } = await server.call(token, "POST", "/v1/contexts", { id });
      expect([id, status]).toEqual([id, 400]);
    }
    const outside = (await readdir(folder, { recursive: true })).filter((name) => !name.startsWith("data"));
    expect(outside).toEqual(before.filter((name) => !name.startsWith("data")));
  });

  test("line breaks in names reach no header", async () => {
    const open = await startTestServer();
    await createContext(open, "den");
    const names = ["ada%0d%0aX-Injected:%20y", "ada%0aX-Injected:%20y", "ada%00", "%e2%80%a8", "%ff", "%", "%0d"];
    for (const name of names) {
      const head = requestText(open.url, "GET /v1/contexts/den", [`Mcm-Actor: ${name}`, "Connection: close"]);
      const answer = await (await openHttpText(open.url, head)).ended();
      expect(answer).not.toMatch(/^x-injected/im);
      const socketAnswer = openRawSocket(open.url, `/sync/den?actor=${name}`);
      const code = await Promise.race([socketAnswer.then((raw) => raw.closeCode()), socketAnswer.then(() => 0)]);
      expect([0, 4400]).toContain(code);
      (await socketAnswer).destroy();
    }
    const folded = requestText(open.url, "GET /v1/contexts/den", [
      "Mcm-Actor: ada\r\n X-Injected: y",
      "Connection: close",
    ]);
    expect(await (await openHttpText(open.url, folded)).ended()).not.toMatch(/^x-injected/im);
    const named = { name: "a\r\nX-Injected: y", description: "b\r\nX-Injected: y", tags: ["c\r\nX-Injected: y"] };
    const made = await fetch(`${open.url}/v1/contexts`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify(named),
    });
    expect([...made.headers.keys()]).not.toContain("x-injected");
    const checkpoint = await fetch(`${open.url}/v1/contexts/den/checkpoints`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ name: "v1\r\nX-Injected: y" }),
    });
    expect([...checkpoint.headers.keys()]).not.toContain("x-injected");
    expect(open.logger.failures).toEqual([]);
    await open.close();
  });

  test("a name in a token reaches no header either", async () => {
    for (const sub of ["ada\r\nX-Injected: y", "ada\0", "a".repeat(10_000), ""]) {
      const answer = await server.call(await server.token(sub), "GET", "/v1/contexts/den");
      expect([sub, answer.status]).toEqual([sub, 401]);
      expect([...answer.headers.keys()]).not.toContain("x-injected");
    }
  });
});

describe("[EDGE-14] pages of other sites, in the browser of somebody who may", () => {
  const evil = "https://evil.example";

  test.each<[string, string, Record<string, string>, string]>([
    ["a form (simple request)", "POST", { "content-type": "text/plain" }, '{"id": "forged"}'],
    ["a form that claims to be JSON", "POST", { "content-type": "application/json" }, '{"id": "forged"}'],
    ["a form without a type", "POST", {}, '{"id": "forged"}'],
    ["a preflight", "OPTIONS", { "access-control-request-method": "DELETE" }, ""],
    ["a read", "GET", {}, ""],
  ])("%s is refused, and its answer is not theirs to read", async (_what, method, headers, body) => {
    for (const origin of [evil, "null"]) {
      const line = `${method} /v1/contexts`;
      const all = Object.entries({ ...headers, origin, authorization: `Bearer ${token}`, connection: "close" });
      const lines = all.map(([name, value]) => `${name}: ${value}`);
      const sized = body === "" ? lines : [...lines, `content-length: ${body.length}`];
      const answer = await (await openHttpText(server.url, requestText(server.url, line, sized, body))).ended();
      expect(answer).toMatch(/^HTTP\/1\.1 403 /);
      expect(answer.toLowerCase()).not.toContain("access-control-allow");
    }
    expect((await server.call(token, "GET", "/v1/contexts/forged")).status).toBe(404);
  });

  test.each([evil, "null", "http://127.0.0.1.evil.example", "http://localhost@evil.example"])(
    "a WebSocket of a page of %s is refused",
    async (Origin) => {
      await expect(openRawSocket(server.url, `/sync/den?token=${token}`, { Origin })).rejects.toThrow("403");
    },
  );

  test.each([
    "evil.example",
    "127.0.0.1.evil.example:4400",
    "localhost.evil.example",
    "2130706433",
    "0x7f000001",
    "[::ffff:7f00:1].evil.example",
  ])("a name %s that was rebound to this machine is not answered", async (host) => {
    const head = requestText(server.url, "GET /v1/contexts", [`Host: ${host}`, auth(), "Connection: close"]);
    expect(await (await openHttpText(server.url, head)).ended()).toMatch(/^HTTP\/1\.1 40[03] /);
    await expect(openRawSocket(server.url, `/sync/den?token=${token}`, { Host: host })).rejects.toThrow(/40[03]/);
  });

  const auth = () => `Authorization: Bearer ${token}`;
});
