/**
 * What the demo's agents do, chapter by chapter: plan, look things up, type, get in each other's way, be refused, go
 * offline, decide, take back. Every scene shows one promise of the server; nothing of it is played.
 *
 * Invariants:
 *  1. Two runs that nobody joins leave the same data: who goes first where order matters is written here.
 *  2. A scene that somebody else spoils (a section deleted, a text rewritten) ends, and the next one begins.
 *
 * Not here: how it is shown (commands/demo.ts).
 */
import { ServiceError } from "../../../client/index.ts";
import { next, pointAt, sectionOf, until } from "./cast.ts";
import type { Agent, AgentName, Cast } from "./cast.ts";
import { CHAPTERS } from "./chapters.ts";
import type { Chapter } from "./chapters.ts";

/** What kind of news it is: work done, a lock, a refusal, a conflict, a lost connection. */
export type Mood = "work" | "lock" | "refusal" | "conflict" | "line";

export interface Stage {
  readonly cast: Cast;
  readonly signal: AbortSignal;
  readonly tell: (who: AgentName, mood: Mood, text: string) => void;
  /** Rejects when `signal` aborts. */
  readonly pause: (ms: number) => Promise<void>;
}

const SCENES = [announce, claim, lookUp, write, twoHeadlines, overstep, workOffline, takeBack, finish];

const BEAT_MS = 900;
const WORD_MS = 110;
const LOCK_WAIT_MS = 60_000;
const COMPLETE = "Complete";

/** All chapters once. Rejects with the signal's reason when it aborts. */
export async function tellStory(stage: Stage): Promise<void> {
  for (const chapter of CHAPTERS) {
    for (const scene of SCENES) {
      await scene(stage, chapter).catch((error: unknown) => spoilt(stage, error));
      await stage.pause(BEAT_MS);
    }
  }
  const { planner } = stage.cast;
  const { version } = await planner.article.checkpoint(COMPLETE, { message: "all chapters are there" });
  stage.tell("planner", "work", `names version ${version} of the article "${COMPLETE}"`);
}

/** Everything as it was at the beginning, by one change in each context; what was written stays in the history. */
export async function startOver({ cast: { planner }, tell }: Stage): Promise<void> {
  for (const { name } of await planner.article.checkpoints()) await planner.article.forgetCheckpoint(name);
  for (const context of [planner.plan, planner.research, planner.article])
    await context.restore(0, { message: "from the beginning" });
  tell("planner", "work", "restores all three contexts to version 0, and the story begins again");
}

function spoilt({ signal, tell }: Stage, error: unknown): void {
  signal.throwIfAborted();
  if (!(error instanceof Error)) throw error;
  tell("planner", "refusal", `goes on with something else. ${error.message}`);
}

async function announce({ cast: { planner }, tell }: Stage, { key, title }: Chapter): Promise<void> {
  const task = { section: title, status: "open" } as const;
  const message = `next: ${title}`;
  const { version } = await planner.plan.update([{ op: "add", path: `/tasks/${key}`, value: task }], { message });
  tell("planner", "work", `plans the section "${title}" (version ${version} of the plan)`);
}

/** Compare-and-set: whoever comes second learns who has it, and overwrites nothing. */
async function claim({ cast: { writer, researcher }, tell }: Stage, { key, title }: Chapter): Promise<void> {
  for (const { name, plan } of [writer, researcher]) {
    const { value } = await plan.modify(`/tasks/${key}/owner`, (owner) => owner ?? name, { message: "mine?" });
    tell(name, "work", value === name ? `takes the task "${title}"` : `wants it too, and sees that ${value} has it`);
  }
  await writer.plan.update([{ op: "replace", path: `/tasks/${key}/status`, value: "writing" }]);
}

async function lookUp({ cast: { researcher }, tell, pause }: Stage, { key, facts }: Chapter): Promise<void> {
  for (const [at, fact] of facts.slice(0, 2).entries()) {
    await researcher.research.update(
      [
        { op: "add", path: `/facts/${key}-${at + 1}`, value: fact },
        { op: "increment", path: "/found", by: 1 },
      ],
      { message: `for "${key}"` },
    );
    tell("researcher", "work", `found out: ${fact}`);
    await pause(BEAT_MS);
  }
}

/** The writer types under a lock. The reviewer is refused, waits in line, and corrects when it is free. */
async function write(stage: Stage, chapter: Chapter): Promise<void> {
  const { cast, signal, tell } = stage;
  const { writer, reviewer } = cast;
  const { key, title, text, mistake } = chapter;
  const path = `/sections/${key}` as const;
  await writer.article.update([{ op: "add", path, value: "" }], { message: `begins "${title}"` });
  const words = text.match(/\S+\s*/g) ?? [];
  const half = Math.ceil(words.length / 2);
  const lease = await writer.article.lock(path, { purpose: `writing "${title}"`, waitMs: LOCK_WAIT_MS, signal });
  let waiting: Promise<void> | undefined;
  try {
    tell("writer", "lock", `locks ${path} (fencing token ${lease.fencingToken}) and types`);
    await type(stage, key, words.slice(0, half));
    await refused(stage, reviewer, "wants to correct it already", () =>
      reviewer.article.update([{ op: "append_text", path, text: " (too long?)" }]),
    );
    waiting = correct(stage, path, mistake);
    // it is awaited at the end; who stops the demo meanwhile ends it before
    waiting.catch(() => undefined);
    await type(stage, key, words.slice(half));
  } finally {
    pointAt(writer, "");
    tell("writer", "lock", "gives the lock back");
    await lease.release();
    await waiting;
  }
}

async function type({ cast: { writer }, pause }: Stage, key: string, words: readonly string[]): Promise<void> {
  for (const word of words) {
    const section = sectionOf(writer, key);
    section.insert(section.length, word);
    pointAt(writer, `/sections/${key}`, section);
    await pause(WORD_MS);
  }
  await writer.article.saved();
}

async function correct(
  { cast: { reviewer }, signal, tell }: Stage,
  path: `/sections/${string}`,
  mistake: Chapter["mistake"],
): Promise<void> {
  tell("reviewer", "lock", `waits in line for ${path}`);
  const lease = await reviewer.article.lock(path, { purpose: "proofreading", waitMs: LOCK_WAIT_MS, signal });
  try {
    await reviewer.article.update([{ op: "edit_text", path, ...mistake }], { lease, message: "typo" });
    tell("reviewer", "work", `corrects "${mistake.old}" to "${mistake.new}"`);
  } finally {
    await lease.release();
  }
}

/** Two headlines at once, neither seen by the other's author: the merge keeps one, the server tells, the reviewer decides. */
async function twoHeadlines({ cast, signal, tell }: Stage, { headlines }: Chapter): Promise<void> {
  const { planner, researcher, reviewer } = cast;
  const found = next(reviewer.article, "conflict", signal);
  planner.article.data.root.set("headline", headlines.planner);
  researcher.article.data.root.set("headline", headlines.researcher);
  tell("planner", "work", `sets the headline "${headlines.planner}"`);
  tell("researcher", "work", `sets the headline "${headlines.researcher}" at the same time`);
  await Promise.all([planner.article.saved(), researcher.article.saved()]);
  const [{ id, path, winner }] = await found;
  const by = winner.actor === planner.name ? "winner" : "loser";
  await reviewer.article.resolve(id, by, { message: "says more" });
  tell("reviewer", "conflict", `is told of the conflict at ${path}, and decides for the planner's`);
}

/** Beyond its rights, against the schema, and in an editor: each is refused with its reason, and nothing else is lost. */
async function overstep(stage: Stage, { key, title }: Chapter): Promise<void> {
  const { reviewer, writer } = stage.cast;
  await refused(stage, writer, `calls "${title}" nearly done`, () =>
    writer.plan.update([{ op: "merge", path: `/tasks/${key}`, value: JSON.parse('{"status":"nearly done"}') }]),
  );
  const rejected = next(reviewer.plan, "rejected", stage.signal);
  reviewer.plan.data.root.set("goal", "Something shorter");
  reviewer.plan.data.getMap("reviews").set(key, "Reads well.");
  const [{ error }] = await rejected;
  stage.tell("reviewer", "refusal", `may not change the plan's goal: ${error.code}. ${error.message}`);
  await reviewer.plan.saved();
  stage.tell("reviewer", "work", `has the review that it typed right after saved at /reviews/${key}`);
}

async function workOffline(
  { cast: { researcher }, signal, tell, pause }: Stage,
  { key, facts }: Chapter,
): Promise<void> {
  const { line, research } = researcher;
  line.cut();
  try {
    await until(research, "offline", signal);
    tell("researcher", "line", "loses its connection, and works on");
    research.data.getMap("facts").set(`${key}-3`, facts[2]);
    await pause(BEAT_MS);
  } finally {
    line.mend();
  }
  await research.saved();
  tell("researcher", "line", `is back, and what it wrote meanwhile is saved: ${facts[2]}`);
}

/** What one actor wrote at a place is taken back; all else stays. */
async function takeBack(
  { cast: { planner, researcher }, tell, pause }: Stage,
  { key, rumour }: Chapter,
): Promise<void> {
  const path = `/facts/${key}-rumour` as const;
  const { version } = await researcher.research.update([{ op: "add", path, value: rumour }], { message: "heard" });
  tell("researcher", "work", `adds a rumour: ${rumour}`);
  await pause(BEAT_MS);
  await planner.research.undo("researcher", { from: version - 1, path, message: "not true" });
  tell("planner", "work", `takes back what the researcher wrote at ${path}`);
}

async function finish({ cast: { writer }, tell }: Stage, { key, title }: Chapter): Promise<void> {
  await writer.plan.update([{ op: "replace", path: `/tasks/${key}/status`, value: "done" }], { message: "done" });
  tell("writer", "work", `is done with "${title}"`);
}

/** Does what is refused, and tells why. @throws {Error} when it was taken */
async function refused({ tell }: Stage, { name }: Agent, what: string, act: () => Promise<unknown>): Promise<void> {
  try {
    await act();
  } catch (error) {
    if (!(error instanceof ServiceError)) throw error;
    return tell(name, "refusal", `${what}, and is refused: ${error.code}. ${error.message}`);
  }
  throw new Error(`Nobody refused it: the ${name} ${what}.`);
}
