/** HTTP written by hand on a TCP socket: what no client library would send, byte by byte if need be. */
import { once } from "node:events";
import { connect } from "node:net";
import type { Socket } from "node:net";

export interface HttpText {
  readonly socket: Socket;
  write(text: string): void;
  /** All that was answered so far. */
  readonly answer: string;
  /** Resolves when the answer matches. */
  until(pattern: RegExp): Promise<string>;
  /** Resolves with all that was answered, when the server has ended the connection. */
  ended(): Promise<string>;
}

export async function openHttpText(url: string, first = ""): Promise<HttpText> {
  const { hostname, port } = new URL(url);
  const socket = connect({ host: hostname, port: Number(port) });
  socket.on("error", () => undefined);
  await once(socket, "connect");
  let answer = "";
  let isOver = false;
  const listeners = new Set<() => void>();
  const tell = (): void => {
    for (const listener of [...listeners]) listener();
  };
  socket.setEncoding("latin1");
  socket.on("data", (chunk) => {
    answer += String(chunk);
    tell();
  });
  socket.on("close", () => {
    isOver = true;
    tell();
  });
  const when = (isTrue: () => boolean, isHopeless: () => boolean): Promise<string> =>
    new Promise((resolve, reject) => {
      const look = (): void => {
        if (!isTrue() && !isHopeless()) return;
        listeners.delete(look);
        if (isTrue()) resolve(answer);
        else reject(new Error(`The connection ended after ${JSON.stringify(answer)}`));
      };
      listeners.add(look);
      look();
    });
  if (first !== "") socket.write(first);
  return {
    socket,
    get answer() {
      return answer;
    },
    write: (text) => void socket.write(text, "latin1"),
    until: (pattern) =>
      when(
        () => pattern.test(answer),
        () => isOver,
      ),
    ended: () =>
      when(
        () => isOver,
        () => false,
      ),
  };
}

/** A request's head and body; its Host is the server's unless given. */
export function requestText(url: string, line: string, headers: readonly string[] = [], body = ""): string {
  const host = headers.some((header) => /^host:/i.test(header)) ? [] : [`Host: ${new URL(url).host}`];
  return `${[`${line} HTTP/1.1`, ...host, ...headers].join("\r\n")}\r\n\r\n${body}`;
}
