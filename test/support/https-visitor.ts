/**
 * Somebody who comes from another address of loopback, through TLS, under a name that resolves to this machine only for them.
 */
import { readFile } from "node:fs/promises";
import { request } from "node:https";
import type { RequestOptions } from "node:https";
import { join } from "node:path";
import { Readable } from "node:stream";
import { WebSocket } from "ws";
import { run } from "./programs.ts";

export interface Certificate {
  readonly cert: string;
  readonly key: string;
}

/** A self-signed certificate for one name, as files in a folder. */
export async function certify(name: string, folder: string): Promise<Certificate> {
  const [cert, key] = [join(folder, "cert.pem"), join(folder, "key.pem")];
  const kind = ["-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"];
  const names = ["-subj", `/CN=${name}`, "-addext", `subjectAltName=DNS:${name}`];
  const { code, output } = await run("openssl", ["req", ...kind, ...names, "-out", cert, "-keyout", key]);
  if (code !== 0) throw new Error(`openssl failed:\n${output}`);
  return { cert, key };
}

export class HttpsVisitor {
  readonly #options: Pick<RequestOptions, "ca" | "localAddress" | "lookup">;
  /** For clients that take a class of WebSockets. */
  readonly WebSocket: typeof globalThis.WebSocket;

  private constructor(options: Pick<RequestOptions, "ca" | "localAddress" | "lookup">) {
    this.#options = options;
    class Bound extends WebSocket {
      constructor(url: string, protocols?: string | string[]) {
        super(url, protocols, options);
      }
    }
    // the part of the DOM's class that clients use is the same in both
    this.WebSocket = Bound as unknown as typeof globalThis.WebSocket;
  }

  static async from(localAddress: string, { cert }: Certificate): Promise<HttpsVisitor> {
    const lookup: RequestOptions["lookup"] = (_name, { all }, done) =>
      all === true ? done(null, [{ address: "127.0.0.1", family: 4 }]) : done(null, "127.0.0.1", 4);
    return new HttpsVisitor({ ca: await readFile(cert, "utf8"), localAddress, lookup });
  }

  readonly fetch: typeof fetch = async (input, init) => {
    const asked = new Request(input, init);
    const body = asked.body === null ? undefined : Buffer.from(await asked.arrayBuffer());
    return new Promise((resolve, reject) => {
      const headers = Object.fromEntries(asked.headers);
      const outgoing = request(
        asked.url,
        { ...this.#options, method: asked.method, headers, signal: asked.signal },
        (it) => {
          const { statusCode = 0, headers: answered } = it;
          const hasBody = statusCode !== 204 && statusCode !== 304;
          const given = Object.entries(answered).map(([name, value]) => [name, String(value)] as [string, string]);
          const stream = hasBody ? (Readable.toWeb(it) as ReadableStream<Uint8Array>) : null;
          resolve(new Response(stream, { status: statusCode, headers: given }));
        },
      );
      outgoing.on("error", reject);
      outgoing.end(body);
    });
  };
}
