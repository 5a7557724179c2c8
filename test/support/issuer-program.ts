/**
 * A small OpenID Connect identity provider as a program: discovery, keys that rotate, tokens, and bad days.
 *
 * It is told what to do at /control/…, and prints its address when it listens. It ends with its stdin.
 */
import { generateKeyPairSync } from "node:crypto";
import type { KeyObject } from "node:crypto";
import { createServer } from "node:http";
import type { IncomingMessage, ServerResponse } from "node:http";
import { SignJWT } from "jose";
import { LIMITS } from "../../shared/limits.ts";

interface Key {
  readonly kid: string;
  readonly publicKey: KeyObject;
  readonly privateKey: KeyObject;
}

/** What it does when it is asked for its keys. */
export type Behaviour = "ok" | "silent" | "stuck" | "failing" | "large" | "redirecting" | "html" | "cut";

const asked: string[] = [];
let behaviour: Behaviour = "ok";
let made = 0;
let keys: Key[] = [newKey()];
let issuer = "";

function newKey(): Key {
  made += 1;
  return { kid: `key-${made}`, ...generateKeyPairSync("rsa", { modulusLength: 2048 }) };
}

function answerKeys(response: ServerResponse): void {
  const body = {
    keys: keys.map(({ kid, publicKey }) => ({ ...publicKey.export({ format: "jwk" }), kid, use: "sig", alg: "RS256" })),
  };
  const text = JSON.stringify(body);
  switch (behaviour) {
    case "ok":
      return void response.setHeader("content-type", "application/jwk-set+json").end(text);
    case "silent":
      return;
    case "stuck":
      return void response.write(text.slice(0, 20));
    case "failing":
      return void response.writeHead(500).end("{}");
    case "large":
      return sendMuch(response);
    case "redirecting":
      return void response.writeHead(302, { location: `${issuer}/elsewhere` }).end();
    case "html":
      return void response.setHeader("content-type", "text/html").end("<html>Sign in</html>");
    case "cut":
      response.writeHead(200, { "content-length": text.length });
      return void response.write(text.slice(0, 20), () => response.destroy());
  }
}

/** As much as is taken, without a declared length; stops when nobody reads any more. */
function sendMuch(response: ServerResponse): void {
  const chunk = " ".repeat(64 * 1024);
  let sent = 0;
  const more = (): void => {
    if (response.destroyed || sent > 100 * LIMITS.issuerBytesMax) return void response.end();
    sent += chunk.length;
    response.write(chunk, more);
  };
  more();
}

async function bodyOf(request: IncomingMessage): Promise<Record<string, unknown>> {
  let text = "";
  for await (const chunk of request) text += String(chunk);
  return text === "" ? {} : (JSON.parse(text) as Record<string, unknown>);
}

function sign(claims: Record<string, unknown>): Promise<string> {
  const { kid, privateKey } = keys.at(-1) ?? newKey();
  return new SignJWT({ iss: issuer, ...claims })
    .setProtectedHeader({ alg: "RS256", kid, typ: "at+jwt" })
    .sign(privateKey);
}

async function control(action: string, body: Record<string, unknown>): Promise<unknown> {
  switch (action) {
    case "token":
      return { token: await sign(body) };
    case "behave":
      behaviour = body["as"] as Behaviour;
      return {};
    case "add-key":
      keys.push(newKey());
      return {};
    case "drop-old-keys":
      keys = keys.slice(-1);
      return {};
    case "asked":
      return { asked };
    default:
      throw new Error(`what is ${action}?`);
  }
}

async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
  const path = request.url ?? "";
  if (path.startsWith("/control/")) {
    const result = await control(path.slice("/control/".length), await bodyOf(request));
    return void response.end(JSON.stringify(result));
  }
  asked.push(path);
  if (path === "/realm/.well-known/openid-configuration") {
    return void response.end(JSON.stringify({ issuer, jwks_uri: `${issuer}/keys`, token_endpoint: `${issuer}/token` }));
  }
  if (path === "/realm/keys") return answerKeys(response);
  response.writeHead(404).end("{}");
}

const server = createServer((request, response) => {
  answer(request, response).catch((error: unknown) => response.writeHead(500).end(String(error)));
});

server.listen(0, "127.0.0.1", () => {
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("no port");
  issuer = `http://127.0.0.1:${address.port}/realm`;
  process.stdout.write(`${issuer}\n`);
});
process.stdin.resume().on("end", () => process.exit(0));
