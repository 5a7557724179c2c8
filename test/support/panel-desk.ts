/** The panel's state on a real server, and others who work there; all of it ends with the test. */
import { afterEach, vi } from "vitest";
import type { Client } from "../../client/client.ts";
import { connect } from "../../client/index.ts";
import type { OpenContext } from "../../client/panel/store/open-context.ts";
import { Panel } from "../../client/panel/store/panel.ts";
import { PanelMachine } from "./panel-machine.ts";
import { startTestServer } from "./running-server.ts";
import type { TestServer } from "./running-server.ts";

const closing: (() => unknown)[] = [];

afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

/** Does it when the test is over, the latest first. */
export function finallyDo(close: () => unknown): void {
  closing.push(close);
}

/** As long as a thread may need to start on a busy machine. */
export function until(isTrue: () => boolean): Promise<unknown> {
  return vi.waitUntil(isTrue, { timeout: 20_000, interval: 10 });
}

export async function openServer(): Promise<TestServer> {
  const server = await startTestServer();
  finallyDo(() => server.close());
  return server;
}

export async function sdk(url: string, actor: string): Promise<Client> {
  const client = await connect(url, { actor });
  finallyDo(() => client.close());
  return client;
}

export async function panelOn(url: string, machine = new PanelMachine(url)) {
  const panel = new Panel(machine);
  await panel.signIn.begin();
  finallyDo(async () => {
    panel.went("#/contexts");
    const standing = panel.signIn.standing.value;
    if (standing.is === "in") await standing.link.client.close();
  });
  return { panel, machine };
}

/** The panel follows an address until the context is there. */
export async function opened(panel: Panel, hash: string): Promise<OpenContext> {
  panel.went(hash);
  await until(() => panel.open.value?.opening.value.is !== "opening");
  const it = panel.open.value;
  if (it === undefined) throw new Error("no context is open");
  return it;
}
