/**
 * `mcm demo` with a real server and real clients, only without its pauses: every scene does what it says.
 *
 * Not here: the panel beside it (e2e).
 */
import { describe, expect, test } from "vitest";
import { connect } from "../../client/index.ts";
import type { Client } from "../../client/index.ts";
import { runCli } from "../../server/cli/program.ts";
import { CHAPTERS } from "../../server/cli/demo/chapters.ts";
import { ARTICLE, PLAN, RESEARCH } from "../../server/cli/demo/stage.ts";
import { startServer } from "../support/start-server.ts";
import { TestIo } from "./cli-harness.ts";
import { PATIENT } from "../support/patience.ts";

const LAST = "names version";

/** Its pauses last until a look is over. */
class PatientIo extends TestIo {
  look: Promise<unknown> = Promise.resolve();

  override async sleep(ms: number, signal: AbortSignal): Promise<void> {
    await super.sleep(ms, signal);
    await this.look;
  }
}

interface Run {
  readonly io: PatientIo;
  readonly code: number;
}

/** Runs the demo; `onLine` hears each line with the server's address. */
async function demo(args: readonly string[], onLine: (line: string, url: string, io: PatientIo) => void): Promise<Run> {
  const io = new PatientIo({});
  io.onLine = () => {
    const [, url = ""] = /(http:\/\/[^/]+)\/panel/.exec(io.lines[0] ?? "") ?? [];
    onLine(io.lines.at(-1) ?? "", url, io);
  };
  return { io, code: await runCli(["demo", "--port", "0", "--speed", "1000", ...args], { io, start: startServer }) };
}

/** What the three contexts hold, their conflicts and locks, as a visitor reads them. */
async function look(url: string) {
  await using client = await connect(url, { actor: "visitor", ...PATIENT });
  const read = async (id: string) => {
    await using context = await client.open(id);
    const { conflicts } = await context.conflicts();
    const settled = conflicts.map(({ path, status, resolution }) => ({ path, status, by: resolution?.actor }));
    return { data: context.get(), conflicts: settled, locks: await context.locks() };
  };
  return { plan: await read(PLAN), research: await read(RESEARCH), article: await read(ARTICLE) };
}

/** Takes a lock where the writer writes, and stays. */
async function holdSections(url: string): Promise<Client> {
  const client = await connect(url, { actor: "spoiler", ...PATIENT });
  const article = await client.open(ARTICLE);
  await article.lock("/sections/locks", { purpose: "in the way" });
  return client;
}

const sections = Object.fromEntries(
  CHAPTERS.map(({ key, text, mistake }) => [key, text.replace(mistake.old, mistake.new)]),
);

describe("[DEMO-1] the demo", () => {
  test("does all that it tells, the same each time, and begins again until it is stopped", async () => {
    const looks: ReturnType<typeof look>[] = [];
    const takeALook = (io: PatientIo, url: string) => {
      const taken = look(url);
      looks.push(taken);
      io.look = taken;
      return taken;
    };
    const first = await demo([], (line, url, io) => {
      if (line.includes(LAST)) void takeALook(io, url);
      if (line.includes("begins again")) void takeALook(io, url).finally(() => io.stop());
    });
    const second = await demo(["--rounds", "1", "--no-open"], (line, url, io) => {
      if (line.includes(LAST)) void takeALook(io, url);
    });
    const [atEnd, atBeginning, again] = await Promise.all(looks);
    expect(second).toMatchObject({ code: 0, io: { browsed: [] } });
    expect(first.code).toBe(0);
    expect(first.io.browsed).toEqual([expect.stringMatching(/\/panel\/#\/contexts\/demo-article$/)]);
    const done = CHAPTERS.map(({ key, title }) => [key, { section: title, status: "done", owner: "writer" }]);
    const facts = CHAPTERS.flatMap((chapter) => chapter.facts.map((fact, at) => [`${chapter.key}-${at + 1}`, fact]));
    expect(atEnd).toEqual({
      plan: {
        data: {
          goal: "An article on how agents share what they know",
          tasks: Object.fromEntries(done),
          reviews: Object.fromEntries(CHAPTERS.map(({ key }) => [key, "Reads well."])),
        },
        conflicts: [],
        locks: [],
      },
      research: { data: { found: 8, facts: Object.fromEntries(facts) }, conflicts: [], locks: [] },
      article: {
        data: { headline: CHAPTERS.at(-1)?.headlines.planner, sections },
        conflicts: CHAPTERS.map(() => ({ path: "/headline", status: "resolved", by: "reviewer" })),
        locks: [],
      },
    });
    expect(again).toEqual(atEnd);
    expect(atBeginning?.article).toMatchObject({ data: { headline: "Untitled", sections: {} } });
    const told = first.io.lines.join("\n");
    for (const code of ["LOCKED", "SCHEMA_VIOLATION", "FORBIDDEN"])
      expect(told.split(`${code}.`)).toHaveLength(CHAPTERS.length + 1);
    expect(told).not.toContain("goes on with something else");
  });

  test("goes on when somebody who joined is in the way", async () => {
    const spoilers: Client[] = [];
    const { code, io } = await demo(["--rounds", "1"], (line, url) => {
      if (line.startsWith("Ready")) void holdSections(url).then((client) => spoilers.push(client));
    });
    expect(code).toBe(0);
    expect(io.lines.filter((line) => line.includes("goes on with something else. spoiler holds a lock"))).toHaveLength(
      1,
    );
    expect(io.lines.at(-1)).toContain(LAST);
    for (const client of spoilers) await client.close();
  });

  test("ends wherever it is stopped, with all that is under way", async () => {
    const moments = ["Ready", "takes the task", "locks /sections/why", "waits in line", "loses its connection"];
    for (const moment of moments) {
      const { io, code } = await demo([], (line, _url, { stop }) => {
        if (line.includes(moment)) stop();
      });
      expect([moment, code, io.errors]).toEqual([moment, 0, []]);
    }
  });

  test("says what is wrong with its options", async () => {
    for (const args of [
      ["--speed", "0"],
      ["--speed", "x"],
      ["--rounds", "0"],
      ["--port", "x"],
    ]) {
      const io = new TestIo({});
      expect(await runCli(["demo", ...args], { io, start: startServer })).toBe(2);
      expect(io.errors.join("\n")).toMatch(/must be/);
    }
  });
});
