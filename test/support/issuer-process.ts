/** Starts the identity provider of issuer-program.ts as a process of its own, and tells it what to do. */
import { spawn } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import type { Behaviour } from "./issuer-program.ts";

const PROGRAM = fileURLToPath(new URL("issuer-program.ts", import.meta.url));

export class IssuerProcess {
  readonly issuer: string;
  readonly #child: ChildProcess;

  private constructor(child: ChildProcess, issuer: string) {
    this.#child = child;
    this.issuer = issuer;
  }

  static async start(): Promise<IssuerProcess> {
    const child = spawn(process.execPath, ["--import", "tsx", PROGRAM], { stdio: ["pipe", "pipe", "inherit"] });
    const lines = createInterface({ input: child.stdout });
    const [issuer] = (await Promise.race([once(lines, "line"), once(child, "exit")])) as unknown[];
    if (typeof issuer !== "string") throw new Error(`the identity provider did not start: ${String(issuer)}`);
    return new IssuerProcess(child, issuer);
  }

  /** Signed with its newest key. */
  async token(claims: Record<string, unknown>): Promise<string> {
    const { token } = await this.#tell("token", claims);
    return String(token);
  }

  async behave(as: Behaviour): Promise<void> {
    await this.#tell("behave", { as });
  }

  /** Signs with a new key from now on, and lists it beside the others. */
  async addKey(): Promise<void> {
    await this.#tell("add-key");
  }

  async dropOldKeys(): Promise<void> {
    await this.#tell("drop-old-keys");
  }

  /** How often its keys were asked for. */
  async fetches(): Promise<number> {
    const { asked } = await this.#tell("asked");
    return Array.isArray(asked) ? asked.filter((path) => path === "/realm/keys").length : 0;
  }

  async stop(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const ended = once(this.#child, "exit");
    this.#child.kill("SIGKILL");
    await ended;
  }

  async #tell(action: string, body: Record<string, unknown> = {}): Promise<Record<string, unknown>> {
    const url = new URL(`/control/${action}`, this.issuer);
    const response = await fetch(url, { method: "POST", body: JSON.stringify(body) });
    if (!response.ok) throw new Error(await response.text());
    return (await response.json()) as Record<string, unknown>;
  }
}
