/** What connections and requests are held to before anybody knows who calls: rules EDGE-5 to EDGE-8, EDGE-12 and AUDIT-8. */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { auditListSchema } from "../../shared/protocol/rest-audit.ts";
import type { AuditEntryView } from "../../shared/protocol/rest-audit.ts";
import { LIMITS } from "../../shared/limits.ts";
import { openHttpText, requestText } from "../support/http-text.ts";
import { frame, openRawSocket } from "../support/raw-socket.ts";
import { startSecureServer } from "../support/secure-server.ts";
import type { SecureServer } from "../support/secure-server.ts";
import { startTestServer } from "../support/running-server.ts";

const APP = "https://app.example";
/** Seconds become tenths, so that tests need not wait as long as attackers. */
const limits = { upgradeMsMax: 400, requestMsMax: 800, answerMsMax: 800 };
/** Node by itself would let them be for minutes; a busy machine takes its time. */
const LONG_MS = 20_000;

let server: SecureServer;
let token = "";

beforeAll(async () => {
  server = await startSecureServer(undefined, { limits, environment: { MCM_ALLOWED_ORIGINS: APP } });
  token = await server.token("ada");
  expect((await server.call(token, "POST", "/v1/contexts", { id: "plan", data: { n: 0 } })).status).toBe(201);
});
afterAll(() => server.close());

const request = (line: string, headers: readonly string[] = [], body = "") =>
  requestText(server.url, line, headers, body);
const open = (first = "") => openHttpText(server.url, first);

/** Writes a byte now and then until the connection ends; resolves with the milliseconds that took, and the answer. */
async function trickle(first: string, rest: string): Promise<{ readonly ms: number; readonly answer: string }> {
  const beganAt = performance.now();
  const line = await open(first);
  const timer = setInterval(() => line.write(rest), 20);
  const answer = await line.ended();
  clearInterval(timer);
  return { ms: performance.now() - beganAt, answer };
}

async function audited(query: string): Promise<AuditEntryView[]> {
  const { body } = await server.call(await server.admin(), "GET", `/v1/audit${query}`);
  return auditListSchema.parse(body).entries;
}

describe("[EDGE-5] a connection has so long to say what it wants", () => {
  const { upgradeMsMax, requestMsMax } = limits;

  test.each<[string, string, string]>([
    ["says nothing", "", ""],
    ["says a header now and then", "GET /healthz HTTP/1.1\r\n", "X: y\r\n"],
    ["says a letter now and then", "GET /hea", "l"],
    ["asks for an upgrade, and never ends", "GET /sync/plan HTTP/1.1\r\nUpgrade: websocket\r\n", "X: y\r\n"],
  ])("one that %s", async (_what, first, rest) => {
    const { ms, answer } = await trickle(first, rest);
    expect(ms).toBeGreaterThan(upgradeMsMax * 0.9);
    expect(ms).toBeLessThan(LONG_MS);
    expect(answer).toMatch(/^HTTP\/1\.1 408 /);
  });

  test("one that sends its body byte by byte", async () => {
    const head = request("POST /v1/contexts", [
      `Authorization: Bearer ${token}`,
      "Content-Type: application/json",
      "Content-Length: 100000",
    ]);
    const { ms } = await trickle(head, "x");
    expect(ms).toBeGreaterThan(requestMsMax * 0.9);
    expect(ms).toBeLessThan(LONG_MS);
  });

  test("one that is refused and does not go", async () => {
    const line = await open(request("GET /nowhere", ["Connection: Upgrade", "Upgrade: websocket"]));
    expect(await line.ended()).toMatch(/^HTTP\/1\.1 404 /);
    const raw = await openRawSocket(server.url, "/sync/plan", {});
    expect(await raw.closeCode()).toBe(4401);
    raw.destroy();
  });
});

describe("[EDGE-6] what is no request, or has too large a head", () => {
  test("headers at the limit are read, one byte beyond they are not", async () => {
    const sized = async (bytes: number) => {
      const head = request("GET /healthz", ["Connection: close", "X: "]);
      return (await open(head.replace("X: ", `X: ${"x".repeat(bytes - head.length)}`))).ended();
    };
    expect(await sized(LIMITS.headerBytesMax - 100)).toMatch(/^HTTP\/1\.1 200 /);
    const refused = await sized(LIMITS.headerBytesMax + 100);
    expect(refused).toMatch(/^HTTP\/1\.1 431 /);
    expect(refused).toContain("x-content-type-options: nosniff");
  });

  test.each<[string, string, RegExp]>([
    ["no HTTP at all", "\u0016\u0003\u0001\u0002\u0000", /^HTTP\/1\.1 400 /],
    ["a method that there is not", "BREW / HTTP/1.1\r\n\r\n", /^HTTP\/1\.1 400 /],
    ["no Host", "GET /healthz HTTP/1.1\r\n\r\n", /^HTTP\/1\.1 400 /],
    ["another protocol", "GET /healthz HTTP/9.9\r\nHost: localhost\r\n\r\n", /^HTTP\/1\.1 400 /],
    ["a proxy's request", "CONNECT example.com:443 HTTP/1.1\r\nHost: example.com\r\n\r\n", /^$/],
  ])("%s", async (_what, text, answer) => {
    expect(await (await open(text)).ended()).toMatch(answer);
  });

  test("two Host headers, of which a proxy may have looked at the other", async () => {
    const { host } = new URL(server.url);
    const twice = [`Host: ${host}`, "Host: evil.example"];
    expect(await (await open(request("GET /healthz", [...twice, "Connection: close"]))).ended()).toMatch(
      /^HTTP\/1\.1 400 /,
    );
    const upgrade = ["Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13"];
    expect(await (await open(request("GET /sync/plan", [...twice, ...upgrade]))).ended()).toMatch(/^HTTP\/1\.1 400 /);
  });
});

test("[EDGE-7] every answer forbids what a browser might make of it", async () => {
  const auth = { authorization: `Bearer ${token}` };
  const ask = (path: string, init: RequestInit = {}) => fetch(`${server.url}${path}`, init);
  const answers = [
    await ask("/healthz"),
    await ask("/openapi.json"),
    await ask("/nowhere"),
    await ask("/v1/contexts"),
    await ask("/v1/contexts", { method: "PUT" }),
    await ask("/v1/contexts/plan", { headers: auth }),
    await ask("/v1/contexts/plan", { headers: { ...auth, "if-none-match": '"0"' } }),
    await ask("/v1/contexts/plan/changes", { headers: { ...auth, accept: "text/event-stream" } }),
    await ask("/v1/contexts", { method: "OPTIONS", headers: { origin: APP, "access-control-request-method": "GET" } }),
  ];
  expect(answers.map(({ status }) => status)).toEqual([200, 200, 404, 401, 405, 200, 304, 200, 204]);
  for (const { headers, body } of answers) {
    expect(headers.get("x-content-type-options")).toBe("nosniff");
    expect(headers.get("referrer-policy")).toBe("no-referrer");
    expect(headers.get("cross-origin-resource-policy")).toBe("same-origin");
    expect(headers.get("content-security-policy")).toBe("default-src 'none'; frame-ancestors 'none'");
    await body?.cancel();
  }
  const odd = await (await open(request("GET /healthz", ["Host: a b", "Connection: close"]))).ended();
  expect(odd).toMatch(/^HTTP\/1\.1 400 [^]*content-security-policy: default-src 'none'/);
});

describe("[EDGE-8] an answer that is not taken", () => {
  const text = "x".repeat(1_000_000);
  const data = Object.fromEntries(Array.from({ length: 9 }, (_, i) => [`t${i}`, text]));
  const read = () => request("GET /v1/contexts/big", [`Authorization: Bearer ${token}`]);

  beforeAll(async () => {
    const { t0, t1, t2, ...rest } = data;
    await server.call(token, "POST", "/v1/contexts", { id: "big", data: { t0, t1, t2 } });
    for (const [key, value] of Object.entries(rest)) {
      const changes = [{ op: "add", path: `/${key}`, value }];
      expect((await server.call(token, "PATCH", "/v1/contexts/big", { changes })).status).toBe(200);
    }
  });

  test("is dropped with its connection", async () => {
    const line = await open();
    line.socket.pause();
    line.write(read());
    const beganAt = performance.now();
    await new Promise<void>((resolve) => {
      const look = setInterval(() => {
        // what the kernel holds may be read; the rest was never sent
        line.write("\r\n");
        if (line.socket.destroyed || line.socket.errored !== null) {
          clearInterval(look);
          resolve();
        }
      }, 50);
    });
    expect(performance.now() - beganAt).toBeGreaterThan(limits.answerMsMax * 0.9);
    expect(line.socket.bytesRead).toBeLessThan(9_000_000);
  });

  test("is sent whole to who takes it", async () => {
    const { body } = await server.call(token, "GET", "/v1/contexts/big");
    expect(body["data"]).toEqual(data);
  });
});

describe("[EDGE-12] sites", () => {
  const evil = "https://evil.example";
  const preflight = { "access-control-request-method": "PATCH", "access-control-request-headers": "authorization" };
  const ask = (origin: string, method = "GET") =>
    fetch(`${server.url}/v1/contexts/plan`, {
      method,
      headers: { origin, ...(method === "OPTIONS" ? preflight : { authorization: `Bearer ${token}` }) },
    });
  const upgrade = (origin: string, path = `/sync/plan?token=${token}`) =>
    openRawSocket(server.url, path, { Origin: origin });

  test("pages of an allowed origin call, read and connect", async () => {
    for (const method of ["OPTIONS", "GET"]) {
      const answer = await ask(APP, method);
      expect([answer.ok, answer.headers.get("access-control-allow-origin")]).toEqual([true, APP]);
      expect(answer.headers.get("vary")).toMatch(/origin/i);
      await answer.arrayBuffer();
    }
    (await upgrade(APP)).destroy();
  });

  test.each([evil, "null", "https://app.example.evil.example", "http://app.example", `${APP}:444`, "file://", ""])(
    "pages of %j do not, by REST or WebSocket",
    async (origin) => {
      for (const method of ["OPTIONS", "GET"]) {
        const answer = await ask(origin, method);
        expect([answer.status, answer.headers.get("access-control-allow-origin")]).toEqual([403, null]);
      }
      await expect(upgrade(origin)).rejects.toThrow("403");
    },
  );

  test("an open server answers no page of another site", async () => {
    const local = await startTestServer();
    expect((await fetch(`${local.url}/v1/contexts`, { headers: { origin: APP } })).status).toBe(403);
    await local.close();
  });
});

describe("[AUDIT-8] the audit log", () => {
  test("says when the server began to answer, and what was refused at its edges, with the address and without secrets", async () => {
    const secret = "eyJhbGciOiJub25lIn0.c2VjcmV0LWNsYWltcw.";
    await fetch(`${server.url}/v1/contexts/plan`, { headers: { authorization: `Bearer ${secret}` } });
    const raw = await openRawSocket(server.url, `/sync/plan?token=${secret}`);
    expect(await raw.closeCode()).toBe(4401);
    const large = await openRawSocket(server.url, `/sync/plan?token=${token}`);
    large.write(frame(new Uint8Array(LIMITS.frameBytesMax + 1)));
    expect(await large.closeCode()).toBe(4413);
    const body = JSON.stringify({ id: "x", data: { x: "x".repeat(LIMITS.bodyBytesMax) } });
    const headers = { authorization: `Bearer ${token}`, "content-type": "application/json" };
    expect((await fetch(`${server.url}/v1/contexts`, { method: "POST", headers, body })).status).toBe(413);
    const entries = await audited("?limit=500");
    const told = (action: string) => entries.filter((entry) => entry.action === action);
    expect(told("server.start")).toMatchObject([{ outcome: "done" }]);
    const denied = { outcome: "denied", address: "127.0.0.1" };
    const failures = told("request.authenticate");
    expect(failures.map(({ rule, origin, count = 1 }) => [rule, origin, count])).toEqual([
      ["algorithm", "rest", 2],
      ["missing", "sdk", 2],
    ]);
    for (const failure of failures) expect(failure).toMatchObject({ ...denied, code: "UNAUTHENTICATED" });
    expect(told("request.size")).toMatchObject([
      { ...denied, code: "TOO_LARGE", actor: "ada", origin: "sdk", count: 2 },
    ]);
    expect(told("request.parse").map(({ code }) => code)).toEqual(
      expect.arrayContaining(["INVALID_REQUEST", "TOO_LARGE"]),
    );
    expect(told("request.site")).toContainEqual(
      expect.objectContaining({ ...denied, code: "FORBIDDEN", detail: { origin: "https://evil.example" } }),
    );
    const text = JSON.stringify(entries);
    expect(text).not.toContain(secret.slice(0, 12));
    expect(text).not.toContain("secret-claims");
    expect(text).not.toContain(token.slice(0, 20));
  });

  test("is for admins of the server", async () => {
    expect((await server.call(token, "GET", "/v1/audit")).status).toBe(403);
  });
});
