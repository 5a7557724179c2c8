/**
 * deploy/proxy/nginx-cluster.conf with the real nginx: which node gets a request, and which gets it when that one fails.
 *
 * Nodes are stand-ins that count what reaches them. Changed for the test is where they are, and where nginx listens.
 */
import { once } from "node:events";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import type { IncomingMessage, Server, ServerResponse } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { WebSocket, WebSocketServer } from "ws";
import { findProgram, freePort, needing, serve } from "../support/programs.ts";
import type { Service } from "../support/programs.ts";

const isMissing = findProgram("nginx") === undefined;
const it = (title: string, check: () => Promise<void>): void =>
  test.skipIf(isMissing)(`${title}${needing("nginx")}`, check);

type Behaviour = "answers" | "refuses" | "breaks off";

class StandIn {
  behaviour: Behaviour = "answers";
  /** Method and path of each request. */
  readonly got: string[] = [];
  readonly #server: Server = createServer((request, response) => this.#answer(request, response));

  async listen(port: number): Promise<void> {
    const sockets = new WebSocketServer({ server: this.#server });
    sockets.on("connection", (socket) => {
      this.got.push("WebSocket");
      socket.on("message", (text: Buffer) => socket.send(`heard ${text.toString()}`));
    });
    this.#server.listen(port, "127.0.0.1");
    await once(this.#server, "listening");
  }

  async close(): Promise<void> {
    this.#server.close();
    this.#server.closeAllConnections();
    await once(this.#server, "close");
  }

  #answer({ method = "", url = "", socket }: IncomingMessage, response: ServerResponse): void {
    this.got.push(`${method} ${url}`);
    if (this.behaviour === "breaks off") socket.destroy();
    else if (this.behaviour === "refuses") response.writeHead(503).end("of the node");
    else if (url !== "/feed") response.end("fine");
    else response.writeHead(200, { "content-type": "text/event-stream" }).write("data: 1\n\n");
  }
}

const nodes = [new StandIn(), new StandIn()] as const;
let folder: string;
let url: string;
let nginx: Service | undefined;

beforeAll(async () => {
  if (isMissing) return;
  folder = await mkdtemp(join(tmpdir(), "mcm-cluster-"));
  // nobody is at the third
  const ports = [await freePort(), await freePort(), await freePort()];
  await Promise.all(nodes.map((node, at) => node.listen(ports[at] ?? 0)));
  const port = await freePort();
  url = `http://127.0.0.1:${port}`;
  let text = (await readFile("deploy/proxy/nginx-cluster.conf", "utf8")).replaceAll("/tmp/", `${folder}/`);
  const changes: readonly (readonly [RegExp, string])[] = [
    [/worker_processes auto;/, `worker_processes 1; ${process.getuid?.() === 0 ? "user root;" : ""}`],
    [/listen 8080;/, `listen 127.0.0.1:${port};`],
    // names of Docker's, which only an nginx that is newer than this may look up again
    [/resolver [^;]*;/, ""],
    ...ports.map(
      (place, at) => [new RegExp(`node-${at + 1}:4400(.*) resolve;`, "g"), `127.0.0.1:${place}$1;`] as const,
    ),
  ];
  for (const [from, to] of changes) {
    expect(text).toMatch(from);
    text = text.replace(from, to);
  }
  const file = join(folder, "nginx.conf");
  await writeFile(file, text);
  nginx = await serve("nginx", ["-e", "stderr", "-p", folder, "-c", file, "-g", "daemon off;"], {
    isReady: async () => (await fetch(url)).ok,
  });
});
afterAll(async () => {
  if (isMissing) return;
  await nginx?.close();
  await Promise.all(nodes.map((node) => node.close()));
  await rm(folder, { recursive: true });
});
beforeEach(async () => {
  if (isMissing) return;
  for (const node of nodes) node.behaviour = "answers";
  forget();
  // a node that failed several times is left alone for a second
  await expect.poll(async () => (await ask("GET", "/a"), nodes.every(({ got }) => got.length > 0))).toBe(true);
  forget();
});

function forget(): void {
  for (const { got } of nodes) got.length = 0;
}

async function ask(method: string, path: string, headers: Record<string, string> = {}): Promise<string> {
  const response = await fetch(`${url}${path}`, { method, headers });
  return `${response.status} ${await response.text()}`;
}

async function answersOf(count: number, question: () => Promise<string>): Promise<ReadonlySet<string>> {
  const answers = new Set<string>();
  for (let n = 0; n < count; n++) answers.add(await question());
  return answers;
}

const all = (): readonly string[] => nodes.flatMap(({ got }) => got);

it("[DEPLOY-4] requests are spread over the nodes, and a node that is not there costs none of them", async () => {
  expect(await answersOf(12, () => ask("GET", "/a"))).toEqual(new Set(["200 fine"]));
  // it was not sent: whatever it is, it may go to the next one
  expect(await answersOf(12, () => ask("PATCH", "/a"))).toEqual(new Set(["200 fine"]));
  expect(all()).toHaveLength(24);
  for (const { got } of nodes) expect(got.length).toBeGreaterThan(4);
});

it("[DEPLOY-4] what a node refuses for now is asked of the next one when that is safe, and else told with the node's words", async () => {
  nodes[0].behaviour = "refuses";
  expect(await answersOf(4, () => ask("GET", "/a"))).toEqual(new Set(["200 fine"]));
  nodes[1].behaviour = "refuses";
  expect(await answersOf(4, () => ask("PATCH", "/a"))).toEqual(new Set(["503 of the node"]));
  expect(all().filter((request) => request.startsWith("PATCH"))).toHaveLength(4);
});

it("[DEPLOY-4] a write that a node may have carried out goes to no other", async () => {
  for (const node of nodes) node.behaviour = "breaks off";
  // fewer than nginx takes for a sign that nobody is there
  expect(await answersOf(2, async () => (await ask("POST", "/a")).slice(0, 3))).toEqual(new Set(["502"]));
  expect(all()).toHaveLength(2);
});

it("[DEPLOY-4] MCP of one caller stays at one node", async () => {
  for (const token of ["a", "b", "c", "d"]) {
    forget();
    await answersOf(4, () => ask("POST", "/mcp", { authorization: `Bearer ${token}` }));
    expect(nodes.map(({ got }) => got.length).toSorted((a, b) => a - b)).toEqual([0, 4]);
  }
});

it("[DEPLOY-4] WebSockets pass, and each event of a feed at once", async () => {
  const socket = new WebSocket(`${url.replace("http", "ws")}/sync/plan`);
  await once(socket, "open");
  socket.send("one");
  const [message] = (await once(socket, "message")) as [Buffer];
  expect(message.toString()).toBe("heard one");
  socket.terminate();
  const stop = new AbortController();
  const feed = await fetch(`${url}/feed`, { signal: stop.signal });
  // it does not end: held back, this would never come
  const first = await feed.body?.pipeThrough(new TextDecoderStream()).getReader().read();
  expect(first?.value).toBe("data: 1\n\n");
  stop.abort();
});
