/** How the server is: its alerts, and its figures over the last minutes. */
import { useEffect, useMemo } from "preact/hooks";
import type { AlertList, AlertView, StatsView } from "../../../shared/protocol/rest-monitoring.ts";
import { Health } from "../store/health.ts";
import type { Machine } from "../store/machine.ts";
import { hrefOf } from "../store/route.ts";
import type { Link } from "../store/sign-in.ts";
import { bytesText, spanText } from "../store/when.ts";
import { Ago, Pill } from "./bits.tsx";
import { Chart } from "./chart.tsx";
import { Lacking } from "./lacking.tsx";

interface HealthProps {
  readonly machine: Machine;
  readonly link: Link;
}

export function HealthView({ machine, link }: HealthProps) {
  const health = useMemo(() => new Health(machine, link), [machine, link]);
  useEffect(() => health.start(), [health]);
  const stats = health.stats.value.value;
  const alerts = health.alerts.value.value;
  return (
    <section class="page" aria-labelledby="health-title">
      <div class="page-head">
        <h1 id="health-title">Health</h1>
        {stats !== undefined && <Pill tone={TONES[stats.status]}>{stats.status}</Pill>}
        {stats !== undefined && <span class="dim">up {spanText(stats.uptimeMs) || "now"}</span>}
      </div>
      <Lacking what="its health" problem={health.stats.problem.value} />
      {stats !== undefined && (
        <div class="health" tabIndex={0} role="region" aria-label="Figures">
          <Alerts alerts={alerts} />
          <Figures stats={stats} />
          <Charts samples={health.samples.value} />
        </div>
      )}
    </section>
  );
}

const TONES = { ok: "good", degraded: "warn", down: "bad" } as const;
const LEVELS = { info: "info", warning: "warn", critical: "bad" } as const;

function Alerts({ alerts }: { readonly alerts: AlertList | undefined }) {
  if (alerts === undefined) return null;
  return (
    <section class="alerts" aria-label="Alerts">
      {alerts.alerts.length === 0 && <p class="calm">No alerts.</p>}
      {alerts.alerts.map((alert) => (
        <AlertCard key={alert.id} alert={alert} />
      ))}
      {alerts.cleared.slice(0, 3).map((alert) => (
        <p key={alert.id} class="dim">
          {alert.name} was over <Ago atMs={Date.parse(alert.clearedAt ?? alert.raisedAt)} />
        </p>
      ))}
    </section>
  );
}

function AlertCard({ alert }: { readonly alert: AlertView }) {
  const { name, level, summary, advice, contextId, raisedAt } = alert;
  return (
    <article class={`alert ${LEVELS[level]}`}>
      <header>
        <Pill tone={LEVELS[level]}>{level}</Pill>
        <strong>{name}</strong>
        {contextId !== undefined && (
          <a href={hrefOf({ view: "context", id: contextId, tab: "document" })}>{contextId}</a>
        )}
        <span class="dim end">
          <Ago atMs={Date.parse(raisedAt)} />
        </span>
      </header>
      <p>{summary}</p>
      <p class="dim">{advice}</p>
    </article>
  );
}

function Figures({ stats: { contexts, sessions, rates, log, process } }: { readonly stats: StatsView }) {
  const figures: readonly (readonly [string, string, string])[] = [
    ["Contexts in memory", String(contexts.inMemory), `${bytesText(contexts.memoryBytes)} of memory`],
    ["Sessions", String(sessions.open), `${sessions.behind} behind`],
    ["Changes", `${amount(rates.changes)}/s`, `${amount(rates.refusals)} refused/s`],
    ["Log", log.available ? "writing" : "not writing", `lag ${Math.round(log.lagMs)} ms`],
    placeOf(log),
    ["Processor", `${Math.round(process.cpuShare * 100)} %`, "of one core"],
  ];
  return (
    <dl class="figures">
      {figures.map(([name, value, more]) => (
        <div key={name}>
          <dt>{name}</dt>
          <dd>
            <strong>{value}</strong> <span class="dim">{more}</span>
          </dd>
        </div>
      ))}
    </dl>
  );
}

/** Where the log lies. */
function placeOf({ engine, folderBytes = 0, diskFreeBytes }: StatsView["log"]): readonly [string, string, string] {
  if (engine !== undefined) return ["Database", engineText(engine), standbysText(engine)];
  return [
    "On disk",
    bytesText(folderBytes),
    diskFreeBytes === undefined ? "in memory" : `${bytesText(diskFreeBytes)} free`,
  ];
}

type Engine = NonNullable<StatsView["log"]["engine"]>;

function engineText({ isReachable, isPrimary }: Engine): string {
  if (!isReachable) return "no answer";
  return isPrimary ? "primary" : "a standby";
}

function standbysText({ standbys }: Engine): string {
  if (standbys === undefined) return "standbys unknown";
  const { needed, connected, lagBytes } = standbys;
  const count = needed === 0 ? `${connected} standbys` : `${connected} standbys of ${needed} needed`;
  return lagBytes === undefined || connected === 0 ? count : `${count}, ${bytesText(lagBytes)} behind`;
}

function Charts({ samples }: { readonly samples: readonly StatsView[] }) {
  const atS = useMemo(() => samples.map(({ at }) => Date.parse(at) / 1000), [samples]);
  const of = (label: string, hue: number, value: (stats: StatsView) => number) => ({
    label,
    hue,
    values: samples.map(value),
  });
  return (
    <div class="charts">
      <Chart
        title="Latency, 99 of 100 within"
        atS={atS}
        text={millis}
        series={[
          of("commit", 0, ({ latencies }) => latencies.commit.p99Ms),
          of("ack", 4, ({ latencies }) => latencies.ack.p99Ms),
          of("propagation", 2, ({ latencies }) => latencies.propagation.p99Ms),
        ]}
      />
      <Chart
        title="Throughput, per second"
        atS={atS}
        text={amount}
        series={[
          of("changes", 0, ({ rates }) => rates.changes),
          of("messages out", 1, ({ rates }) => rates.framesOut),
          of("refused", 2, ({ rates }) => rates.refusals),
        ]}
      />
      <Chart
        title="Memory"
        atS={atS}
        text={bytesText}
        series={[
          of("process", 3, ({ process }) => process.rssBytes),
          of("heap", 1, ({ process }) => process.heapUsedBytes),
        ]}
      />
      <Chart
        title="Event loop, longest delay of the last minute"
        atS={atS}
        text={millis}
        series={[of("delay", 5, ({ process }) => process.eventLoopDelayMsMax)]}
      />
    </div>
  );
}

function millis(ms: number): string {
  return `${ms >= 10 || ms === 0 ? ms.toFixed(0) : ms.toFixed(1)} ms`;
}

function amount(count: number): string {
  return count >= 10 || count === 0 ? count.toFixed(0) : count.toFixed(1);
}
