/**
 * deploy/proxy: nginx and Caddy as they are described there, in front of the whole server, under a path and through TLS.
 *
 * Changed for the test are the lines that anybody changes: the name's port, the certificate, where the server is.
 */
import { chmod, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { connect } from "../../client/index.ts";
import { auditListSchema } from "../../shared/protocol/rest-audit.ts";
import { LIMITS } from "../../shared/limits.ts";
import { contextSchema, problemSchema } from "../../shared/protocol/rest.ts";
import { certify, HttpsVisitor } from "../support/https-visitor.ts";
import type { Certificate } from "../support/https-visitor.ts";
import { findProgram, freePort, needing, serve } from "../support/programs.ts";
import type { Service } from "../support/programs.ts";
import { startTestServer } from "../support/running-server.ts";
import type { TestServer } from "../support/running-server.ts";
import { openStockClient } from "../support/stock-client.ts";

const NAME = "mcm.example.org";
const CLIENT = "127.0.0.2";

interface Place {
  readonly folder: string;
  readonly port: number;
  readonly certificate: Certificate;
  /** host:port of the server */
  readonly server: string;
}

/** Each must be there to be changed. */
function replaced(text: string, changes: Readonly<Record<string, string>>): string {
  return Object.entries(changes).reduce((changed, [line, other]) => {
    if (!changed.includes(line)) throw new Error(`there is no "${line}"`);
    return changed.replace(line, other);
  }, text);
}

async function startNginx(
  { folder, port, certificate, server }: Place,
  isReady: () => Promise<boolean>,
): Promise<Service> {
  const temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"].map(
    (it) => `${it}_temp_path ${folder}/${it};`,
  );
  const text = replaced(await readFile("deploy/proxy/nginx.conf", "utf8"), {
    "worker_processes auto;": process.getuid?.() === 0 ? "worker_processes 1; user root;" : "worker_processes 1;",
    "http {": `http {\n${temporary.join("\n")}`,
    "listen 443 ssl;": `listen 127.0.0.1:${port} ssl;`,
    "server 127.0.0.1:4400;": `server ${server};`,
    "/etc/ssl/mcm/fullchain.pem": certificate.cert,
    "/etc/ssl/mcm/privkey.pem": certificate.key,
  });
  const file = join(folder, "nginx.conf");
  await writeFile(file, text);
  return serve("nginx", ["-e", "stderr", "-p", folder, "-c", file, "-g", "daemon off;"], { isReady });
}

async function startCaddy(
  { folder, port, certificate, server }: Place,
  isReady: () => Promise<boolean>,
): Promise<Service> {
  const text = replaced(await readFile("deploy/proxy/Caddyfile", "utf8"), {
    [`${NAME} {`]: `{\nadmin off\nauto_https disable_redirects\n}\nhttps://${NAME}:${port} {\nbind 127.0.0.1\ntls ${certificate.cert} ${certificate.key}`,
    "reverse_proxy 127.0.0.1:4400 {": `reverse_proxy ${server} {`,
  });
  const file = join(folder, "Caddyfile");
  await writeFile(file, text);
  const env = { ...process.env, HOME: folder, XDG_DATA_HOME: folder, XDG_CONFIG_HOME: folder };
  return serve("caddy", ["run", "--config", file, "--adapter", "caddyfile"], { isReady, env });
}

describe.each([
  ["nginx", startNginx],
  ["caddy", startCaddy],
] as const)("%s", (program, startProxy) => {
  const isMissing = findProgram(program) === undefined || findProgram("openssl") === undefined;
  let folder: string;
  let server: TestServer;
  let proxy: Service | undefined;
  let visitor: HttpsVisitor;
  let url: string;

  beforeAll(async () => {
    if (isMissing) return;
    folder = await mkdtemp(join(tmpdir(), "mcm-proxy-"));
    await chmod(folder, 0o755);
    server = await startTestServer(undefined, {
      environment: { MCM_ALLOWED_HOSTS: NAME, MCM_TRUSTED_PROXIES: "127.0.0.1" },
    });
    const certificate = await certify(NAME, folder);
    visitor = await HttpsVisitor.from(CLIENT, certificate);
    const port = await freePort();
    url = `https://${NAME}:${port}/mcm`;
    const place = { folder, port, certificate, server: new URL(server.url).host };
    proxy = await startProxy(place, async () => (await visitor.fetch(`${url}/healthz`)).ok);
  });
  afterAll(async () => {
    await proxy?.close();
    if (isMissing) return;
    await server.close();
    await rm(folder, { recursive: true });
  });

  const ask = (method: string, path: string, body?: object, headers: Record<string, string> = {}) =>
    visitor.fetch(`${url}${path}`, {
      method,
      headers: { "content-type": "application/json", ...headers },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
  const create = async (id: string, data: object = {}): Promise<void> => {
    expect((await ask("POST", "/v1/contexts", { id, data })).status).toBe(201);
  };
  const it = (title: string, check: () => Promise<void>): void =>
    test.skipIf(isMissing)(`${title}${needing(program)}${needing("openssl")}`, check);

  it("passes requests on under its path, with addresses, tags, refusals and large bodies", async () => {
    const created = await ask("POST", "/v1/contexts", { id: "plan", data: { title: "One" } });
    expect(new URL(created.headers.get("location") ?? "", url).href).toBe(`${url}/v1/contexts/plan`);
    const read = await ask("GET", "/v1/contexts/plan");
    expect(contextSchema.parse(await read.json()).data).toEqual({ title: "One" });
    const etag = read.headers.get("etag") ?? "";
    expect((await ask("GET", "/v1/contexts/plan", undefined, { "if-none-match": etag })).status).toBe(304);
    await create("large", { text: "x".repeat(900_000), more: "y".repeat(900_000) });
    const beyond = await ask("POST", "/v1/contexts", { id: "beyond", data: { text: "x".repeat(LIMITS.bodyBytesMax) } });
    expect(problemSchema.parse(await beyond.json()).code).toBe("TOO_LARGE");
  });

  it("passes WebSockets on: a stock Yjs client and the SDK meet", async () => {
    await create("live", { title: "One" });
    const stock = openStockClient({ url, contextId: "live", actor: "ada", WebSocket: visitor.WebSocket });
    const sdk = await connect(url, { actor: "bob", fetch: visitor.fetch, WebSocket: visitor.WebSocket });
    try {
      await stock.synced();
      const live = await sdk.open<{ title: string }>("live");
      stock.doc.getMap("data").set("title", "Two");
      await expect.poll(() => live.get().title).toBe("Two");
      const { version } = await live.update([{ op: "replace", path: "/title", value: "Three" }]);
      expect(version).toBe(2);
      await expect.poll(() => stock.doc.getMap("data").get("title")).toBe("Three");
    } finally {
      stock.close();
      await sdk.close();
    }
  });

  it("passes each event of a live feed on at once", async () => {
    await create("fed", { n: 0 });
    const stop = new AbortController();
    const feed = await visitor.fetch(`${url}/v1/contexts/fed/changes`, {
      headers: { accept: "text/event-stream" },
      signal: stop.signal,
    });
    expect(feed.headers.get("content-type")).toBe("text/event-stream");
    const reader = feed.body?.pipeThrough(new TextDecoderStream()).getReader();
    let seen = "";
    const reads = async (text: string): Promise<void> => {
      while (!seen.includes(text)) seen += (await reader?.read())?.value ?? "";
    };
    await reads("id: 0\n");
    for (let version = 1; version <= 5; version++) {
      await ask("PATCH", "/v1/contexts/fed", { changes: [{ op: "increment", path: "/n", by: 1 }] });
      // held back, it would come with the next one, which is not made before
      await reads(`id: ${version}\n`);
    }
    stop.abort();
  });

  it("says who the client is, whatever that says of itself", async () => {
    await create("doomed");
    await ask("DELETE", "/v1/contexts/doomed", undefined, {
      "x-forwarded-for": "192.0.2.7",
      forwarded: "for=192.0.2.8",
    });
    const listed = await ask("GET", "/v1/audit?action=context.delete");
    const { entries } = auditListSchema.parse(await listed.json());
    expect(entries).toMatchObject([{ context: "doomed", address: CLIENT }]);
  });
});
