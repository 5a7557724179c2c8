/**
 * What the MCP SDK alone costs: a server of both generations with one tool that does nothing. Prints its address.
 *
 * Not here: contexts, authentication, limits.
 */
import { randomUUID } from "node:crypto";
import { createServer } from "node:http";
import { getRequestListener } from "@hono/node-server";
import {
  createMcpHandler,
  isLegacyRequest,
  McpServer,
  WebStandardStreamableHTTPServerTransport,
} from "@modelcontextprotocol/server";
import { z } from "zod";

const inputSchema = z.object({ id: z.string().optional() });
const outputSchema = z.object({ done: z.boolean() });

function bareServer() {
  const server = new McpServer({ name: "bare", version: "1" });
  server.registerTool("nothing", { description: "Does nothing", inputSchema, outputSchema }, () => ({
    content: [{ type: "text", text: '{"done":true}' }],
    structuredContent: { done: true },
  }));
  return server;
}

const modern = createMcpHandler(bareServer, { legacy: "reject" });
const sessions = new Map();

async function ofSession(request, parsedBody) {
  const known = sessions.get(request.headers.get("mcp-session-id") ?? "");
  if (known !== undefined) return known.handleRequest(request, { parsedBody });
  const transport = new WebStandardStreamableHTTPServerTransport({
    sessionIdGenerator: randomUUID,
    onsessioninitialized: (id) => void sessions.set(id, transport),
  });
  await bareServer().connect(transport);
  return transport.handleRequest(request, { parsedBody });
}

async function answer(request) {
  const body = await request.clone().json();
  return (await isLegacyRequest(request, body))
    ? ofSession(request, body)
    : modern.fetch(request, { parsedBody: body });
}

const listener = getRequestListener(answer, { overrideGlobalObjects: false });
const server = createServer((incoming, outgoing) => void listener(incoming, outgoing));
server.listen(0, "127.0.0.1", () => {
  console.log(`http://127.0.0.1:${server.address().port}`);
});
