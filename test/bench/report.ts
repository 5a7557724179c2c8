/**
 * The results as markdown: the bars first, then a table per scenario, then what failed.
 *
 * 1. A cell is the median, with the range of the runs if there were several.
 * 2. What was not measured is "–"; nothing is left out in silence: failures are listed with their reasons.
 *
 * Not here: verdicts (bars.ts).
 */
import { advantage, bestOf, limitVerdicts, peerVerdicts } from "./bars.ts";
import { summaryOf } from "./results.ts";
import type { Results } from "./results.ts";
import type { Metric, Scenario } from "./scenario.ts";
import type { ServerAdapter } from "./servers/adapter.ts";
import { readable } from "./stats.ts";

export const BEGIN = "<!-- bench:begin (written by `npm run bench -- --docs`) -->";
export const END = "<!-- bench:end -->";

type Servers = readonly Pick<ServerAdapter, "id" | "label">[];
type Scenarios = readonly Pick<Scenario, "id" | "title" | "what" | "metrics">[];

export function reportOf(results: Results, scenarios: Scenarios, servers: Servers): string {
  const sections = scenarios.filter(({ id }) => results.measurements.some(({ scenario }) => scenario === id));
  return [
    circumstancesOf(results),
    ...barsOf(results, servers),
    ...sections.map((scenario) => sectionOf(results, scenario, servers)),
    ...failuresOf(results),
  ].join("\n\n");
}

/** `page` with what is between the markers replaced. @throws {Error} if the markers are not there */
export function withReport(page: string, report: string): string {
  const [begin, end] = [page.indexOf(BEGIN), page.indexOf(END)];
  if (begin < 0 || end < begin) throw new Error(`The page needs the lines ${BEGIN} and ${END}.`);
  return `${page.slice(0, begin + BEGIN.length)}\n\n${report}\n\n${page.slice(end)}`;
}

function circumstancesOf(results: Results): string {
  const cores = results.isPinned
    ? "server and load each on a core of its own"
    : "**not pinned to cores** (no taskset, or one core)";
  const quick = results.isQuick ? "; **quick run: small counts, for trying out only**" : "";
  return `${results.startedAt.slice(0, 10)}, commit ${results.commit}; ${results.machine}; ${cores}; medians of ${results.runs} (range)${quick}.`;
}

function barsOf(results: Results, servers: Servers): string[] {
  const label = (id: string): string => servers.find((server) => server.id === id)?.label ?? id;
  const peers = peerVerdicts(results).map(({ text, ours, best, bestServer, ratio, isMet }) => [
    text,
    readable(ours),
    `${readable(best)} (${label(bestServer)})`,
    `${readable(ratio)}×`,
    yesNo(isMet),
  ]);
  const limits = limitVerdicts(results).map(({ text, ours, below, unit, isMet }) => [
    text,
    `${readable(ours)} ${unit}`,
    `< ${below} ${unit}`,
    yesNo(isMet),
  ]);
  return [
    ...(peers.length === 0 ? [] : [table(["bar", "ours", "best other", "ratio", "met"], peers)]),
    ...(limits.length === 0 ? [] : [table(["limit of the specification", "ours", "limit", "met"], limits)]),
  ];
}

function sectionOf(results: Results, scenario: Scenarios[number], servers: Servers): string {
  const present = servers.filter(({ id }) =>
    results.measurements.some((it) => it.scenario === scenario.id && it.server === id),
  );
  const others = present.map(({ id }) => id).filter((id) => id !== "ours");
  const compares = others.length > 0 && present.length > others.length;
  const rows = Object.entries(scenario.metrics).map(([metric, about]) => [
    about.label,
    ...present.map(({ id }) => cell(results, scenario.id, id, metric)),
    ...(compares ? [ratioOf(results, { scenario: scenario.id, metric, about, others })] : []),
  ]);
  const head = ["", ...present.map(({ label }) => label), ...(compares ? ["ours against the best other"] : [])];
  return `### ${scenario.title}\n\n${scenario.what}\n\n${table(head, rows)}`;
}

function cell(results: Results, scenario: string, server: string, metric: string): string {
  const summary = summaryOf(results, scenario, server, metric);
  if (summary === undefined) return "–";
  const { median, min, max } = summary;
  return min === max ? readable(median) : `${readable(median)} (${readable(min)} – ${readable(max)})`;
}

interface Compared {
  readonly scenario: string;
  readonly metric: string;
  readonly about: Metric;
  readonly others: readonly string[];
}

function ratioOf(results: Results, { scenario, metric, about: { better }, others }: Compared): string {
  if (better === "neither") return "";
  const ours = summaryOf(results, scenario, "ours", metric)?.median;
  const best = bestOf(results, { scenario, metric, better, against: others })?.median;
  const ratio = ours === undefined || best === undefined ? Number.NaN : advantage(better, ours, best);
  return Number.isFinite(ratio) ? `${readable(ratio)}×` : "–";
}

function failuresOf(results: Results): string[] {
  const lines = results.measurements.flatMap(({ scenario, server, run, failed }) =>
    failed === undefined ? [] : [`- ${scenario}, ${server}, run ${run + 1}: ${failed.replaceAll("\n", " ")}`],
  );
  return lines.length === 0 ? [] : [`### Failed\n\n${lines.join("\n")}`];
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]): string => `| ${cells.join(" | ")} |`;
  return [line(head), line(head.map((_, i) => (i === 0 ? "---" : "--:"))), ...rows.map(line)].join("\n");
}

const yesNo = (isMet: boolean): string => (isMet ? "yes" : "**no**");
