/**
 * What one live session says and is told, frame by frame, as it goes on; without content, which the server does not tell.
 *
 * Not here: the frames (store/session-traffic.ts), a line about each (store/frame-saying.ts).
 */
import { useSignal } from "@preact/signals";
import { useEffect, useMemo } from "preact/hooks";
import type { SessionView } from "../../../shared/protocol/rest-monitoring.ts";
import type { SessionEndView, SessionFrameView } from "../../../shared/protocol/rest-traffic.ts";
import { FRAME_DIRECTIONS } from "../../../shared/traffic.ts";
import type { FrameDirection } from "../../../shared/traffic.ts";
import { sayingOf } from "../store/frame-saying.ts";
import type { Panel } from "../store/panel.ts";
import type { Problem } from "../store/problem.ts";
import { hrefOf } from "../store/route.ts";
import { closeSession } from "../store/session-list.ts";
import { SessionTraffic } from "../store/session-traffic.ts";
import type { TrafficLine } from "../store/session-traffic.ts";
import type { Link } from "../store/sign-in.ts";
import { bytesText, clockText } from "../store/when.ts";
import { Actor, Empty, Pill, ProblemNote } from "./bits.tsx";
import { CloseSession } from "./close-session.tsx";
import { FrameView } from "./frame-view.tsx";
import { Icon } from "./icon.tsx";
import { Lacking } from "./lacking.tsx";
import { isNarrow } from "./narrow.ts";
import { VirtualList } from "./virtual-list.tsx";

interface TrafficProps {
  readonly panel: Panel;
  readonly link: Link;
  readonly id: string;
}

export function TrafficView({ panel: { machine, notices }, link, id }: TrafficProps) {
  const traffic = useMemo(() => new SessionTraffic(machine, link, id), [machine, link, id]);
  const asked = useSignal<SessionView | undefined>(undefined);
  useEffect(() => traffic.start(), [traffic]);
  const session = traffic.session.value;
  return (
    <section class="page" aria-labelledby="traffic-title">
      <div class="page-head">
        <a class="icon-button" href="#/sessions" aria-label="All sessions" title="All sessions">
          <Icon name="back" />
        </a>
        <h1 id="traffic-title">Traffic</h1>
        {session !== undefined && <Whose session={session} />}
        <Pace traffic={traffic} />
        <Deeds traffic={traffic} onClose={() => (asked.value = session)} />
      </div>
      <State traffic={traffic} />
      {session !== undefined && (
        <div class="split traffic">
          <div class="pane">
            <Filters traffic={traffic} />
            <Frames traffic={traffic} />
          </div>
          <FrameView traffic={traffic} contextId={session.contextId} />
        </div>
      )}
      <CloseSession asked={asked} onClose={(it) => void closeSession({ link, notices }, it)} />
    </section>
  );
}

function Whose({ session: { actor, contextId, protocol } }: { readonly session: SessionView }) {
  return (
    <>
      <Actor name={actor} />
      <a class="mono" href={hrefOf({ view: "context", id: contextId, tab: "document" })}>
        {contextId}
      </a>
      <Pill tone={protocol === "mcm.v1" ? "info" : undefined}>{protocol}</Pill>
    </>
  );
}

interface PartProps {
  readonly traffic: SessionTraffic;
}

function Pace({ traffic }: PartProps) {
  const { is } = traffic.following.value;
  if (is === "live") return traffic.isPaused.value ? <Pill tone="warn">paused</Pill> : <Pill tone="good">live</Pill>;
  return is === "ended" ? <Pill tone="bad">ended</Pill> : null;
}

function Deeds({ traffic, onClose }: PartProps & { readonly onClose: () => void }) {
  const { waiting } = traffic.count.value;
  if (traffic.session.value === undefined) return null;
  return (
    <div class="end">
      {traffic.isPaused.value ? (
        <button type="button" class="primary" onClick={() => traffic.goOn()}>
          Resume{waiting > 0 && ` (${waiting} new)`}
        </button>
      ) : (
        <button type="button" onClick={() => traffic.pause()}>
          Pause
        </button>
      )}
      <button type="button" onClick={() => traffic.clear()}>
        Clear
      </button>
      <button type="button" class="danger" disabled={traffic.following.value.is !== "live"} onClick={onClose}>
        Close session
      </button>
    </div>
  );
}

/** Why nothing more comes, or nothing at all. */
function State({ traffic }: PartProps) {
  const following = traffic.following.value;
  if (following.is === "ended") return <Ended end={following.end} />;
  return following.is === "broken" ? <Broken traffic={traffic} problem={following.problem} /> : null;
}

function Ended({ end: { by, closeCode, reason, at } }: { readonly end: SessionEndView }) {
  return (
    <p class="banner" role="status">
      <span>
        {by === "server" ? "The server ended the session" : "The client left"} at {clockText(Date.parse(at))}
        {closeCode !== undefined && `, with ${closeCode}`}
        {reason !== undefined && `: ${reason}`}
      </span>
    </p>
  );
}

function Broken({ traffic, problem }: PartProps & { readonly problem: Problem }) {
  if (problem.code === "SESSION_NOT_FOUND")
    return (
      <Empty title="There is no such session">
        It ended, or never was: each connection is a new one. <a href="#/sessions">See those there are.</a>
      </Empty>
    );
  if (problem.code === "FORBIDDEN" || problem.code === "NOT_FOUND")
    return <Lacking what="the traffic of sessions" problem={problem} />;
  return (
    <div class="banner">
      <ProblemNote problem={problem} />
      <button type="button" onClick={() => traffic.again()}>
        Follow again
      </button>
    </div>
  );
}

const DIRECTION_NAMES: Readonly<Record<FrameDirection, string>> = { in: "From the client", out: "To the client" };

function Filters({ traffic }: PartProps) {
  const { direction, type } = traffic.filter.value;
  const { all } = traffic.count.value;
  return (
    <div class="pane-head filters-row" role="search">
      <select
        aria-label="Direction"
        value={direction}
        onChange={({ currentTarget }) => {
          const chosen = FRAME_DIRECTIONS.find((it) => it === currentTarget.value) ?? "";
          traffic.filter.value = { direction: chosen, type };
        }}
      >
        <option value="">Both ways</option>
        {FRAME_DIRECTIONS.map((it) => (
          <option key={it} value={it}>
            {DIRECTION_NAMES[it]}
          </option>
        ))}
      </select>
      <select
        aria-label="Type"
        value={type}
        onChange={({ currentTarget }) => {
          const chosen = traffic.types.peek().find((it) => it === currentTarget.value) ?? "";
          traffic.filter.value = { direction, type: chosen };
        }}
      >
        <option value="">All types</option>
        {traffic.types.value.map((it) => (
          <option key={it} value={it}>
            {it}
          </option>
        ))}
      </select>
      <span class="count end">{all} frames</span>
    </div>
  );
}

function Frames({ traffic }: PartProps) {
  const lines = traffic.lines.value;
  const chosen = traffic.chosen.value;
  const at = lines.findIndex(({ n }) => n === chosen?.n);
  const onKeyDown = (event: KeyboardEvent): void => {
    const to = KEYS[event.key]?.(at, lines.length);
    const line = to === undefined ? undefined : lines[Math.min(Math.max(to, 0), lines.length - 1)];
    if (line === undefined || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    traffic.choose(line);
  };
  if (lines.length === 0)
    return <Empty title="Nothing yet">What the session says and is told from now on shows here.</Empty>;
  return (
    <VirtualList
      items={lines}
      rowPx={isNarrow.value ? 46 : 28}
      shown={at}
      look="frames"
      attributes={{
        role: "listbox",
        "aria-label": "Frames, the newest first",
        tabIndex: 0,
        onKeyDown,
        ...(at < 0 || chosen === undefined ? {} : { "aria-activedescendant": `frame-${chosen.n}` }),
      }}
      render={(line) => (
        <Line key={line.n} line={line} isChosen={line.n === chosen?.n} onChoose={() => traffic.choose(line)} />
      )}
    />
  );
}

const PAGE = 15;

const KEYS: Readonly<Record<string, (at: number, count: number) => number>> = {
  ArrowDown: (at) => at + 1,
  ArrowUp: (at) => at - 1,
  PageDown: (at) => at + PAGE,
  PageUp: (at) => at - PAGE,
  Home: () => 0,
  End: (_at, count) => count - 1,
};

interface LineProps {
  readonly line: TrafficLine;
  readonly isChosen: boolean;
  readonly onChoose: () => void;
}

function Line({ line, isChosen, onChoose }: LineProps) {
  return (
    <div
      id={`frame-${line.n}`}
      role="option"
      aria-selected={isChosen}
      class={`frame${isChosen ? " selected" : ""}`}
      onClick={onChoose}
    >
      {"missed" in line ? (
        <span class="frame-gap">{line.missed} frames are missing: they came faster than this page read them</span>
      ) : (
        <Frame frame={line.frame} />
      )}
    </div>
  );
}

function Frame({ frame }: { readonly frame: SessionFrameView }) {
  const { direction, at, type, bytes } = frame;
  return (
    <>
      <time class="frame-at">{clockText(Date.parse(at))}</time>
      <span class={`frame-way ${direction}`}>
        <Icon name={direction === "in" ? "right" : "back"} />
        {direction}
      </span>
      <span class="frame-type">{type}</span>
      <span class="frame-bytes number">{bytesText(bytes)}</span>
      <span class="frame-says">{sayingOf(frame)}</span>
    </>
  );
}
