/** Sessions, figures and denials of the server: pages put together, samples kept for a bounded time, and servers without them. */
import { expect, test } from "vitest";
import { denialPoll } from "../../../client/panel/store/denials.ts";
import { Health } from "../../../client/panel/store/health.ts";
import { sessionPoll } from "../../../client/panel/store/session-list.ts";
import type { Link } from "../../../client/panel/store/sign-in.ts";
import { Rest } from "../../../client/rest.ts";
import { PanelMachine, settled } from "../../support/panel-machine.ts";
import { RecordingFetch } from "../../support/recording-fetch.ts";

function desk() {
  const server = new RecordingFetch();
  const machine = new PanelMachine("http://panel.test", server.fetch);
  const { baseUrl } = machine;
  const rest = new Rest({ baseUrl, tokens: undefined, actor: "ada", fetch: server.fetch, timeoutMs: 1000 });
  const link: Pick<Link, "call"> = { call: (method, steps, request) => rest.call(method, steps, request) };
  return { server, machine, link };
}

const problem = (code: string) => ({ code, detail: "no", details: {} });

/** Answers are read in several turns. */
async function answered(): Promise<void> {
  for (let turn = 0; turn < 5; turn++) await settled();
}

test("[PANEL-20] sessions come in pages, all of the server or those of one context", async () => {
  const { server, machine, link } = desk();
  server.answer({ sessions: [{ id: "a" }], next: "a" }).answer({ sessions: [{ id: "b" }] });
  const poll = sessionPoll(machine, link, "plan");
  const stop = poll.start();
  await answered();
  stop();
  expect(poll.value.value).toEqual({ sessions: [{ id: "a" }, { id: "b" }], isCut: false });
  expect(server.asked.map(({ path }) => path)).toEqual([
    "/v1/sessions?limit=500&context=plan",
    "/v1/sessions?limit=500&context=plan&cursor=a",
  ]);
});

test("[PANEL-20] figures are kept for ten minutes", async () => {
  const { server, machine, link } = desk();
  const health = new Health(machine, link);
  const stop = health.start();
  for (let count = 0; count <= 310; count++) {
    // stats and alerts ask in turn; either takes what comes
    server
      .answer({ at: String(count), alerts: [], cleared: [] })
      .answer({ at: String(count), alerts: [], cleared: [] });
    await answered();
    await machine.pass(2000);
  }
  stop();
  expect(health.samples.value).toHaveLength(300);
});

test("[PANEL-20] a server without figures, or a token that may not see them, is a problem with a code", async () => {
  const { server, machine, link } = desk();
  server.answer(problem("NOT_FOUND"), 404).answer(problem("FORBIDDEN"), 403);
  const sessions = sessionPoll(machine, link);
  const stops = [sessions.start()];
  await answered();
  const denials = denialPoll(machine, link);
  stops.push(denials.start());
  await answered();
  for (const stop of stops) stop();
  expect([sessions.problem.value?.code, denials.problem.value?.code]).toEqual(["NOT_FOUND", "FORBIDDEN"]);
});
