/** The live sessions: who, with which protocol, how much came and went, and who is behind; the way to their traffic and end. */
import { useSignal } from "@preact/signals";
import { useEffect, useMemo } from "preact/hooks";
import type { SessionView } from "../../../shared/protocol/rest-monitoring.ts";
import type { Machine } from "../store/machine.ts";
import { hrefOf } from "../store/route.ts";
import type { Notices } from "../store/notices.ts";
import { closeSession, sessionPoll } from "../store/session-list.ts";
import type { Link } from "../store/sign-in.ts";
import { bytesText, spanText } from "../store/when.ts";
import { Actor, Ago, Empty, Pill } from "./bits.tsx";
import { CloseSession } from "./close-session.tsx";
import { Lacking } from "./lacking.tsx";
import { isNarrow } from "./narrow.ts";
import { VirtualList } from "./virtual-list.tsx";

interface SessionsProps {
  readonly machine: Machine;
  readonly link: Link;
  readonly notices: Notices;
  /** Only those on it. */
  readonly contextId?: string;
}

export function SessionsView({ machine, link, notices, contextId }: SessionsProps) {
  const asked = useSignal<SessionView | undefined>(undefined);
  const poll = useMemo(() => sessionPoll(machine, link, contextId), [machine, link, contextId]);
  useEffect(() => poll.start(), [poll]);
  const { sessions, isCut } = poll.value.value ?? { sessions: undefined, isCut: false };
  return (
    <section class="page" aria-label="Sessions">
      {contextId === undefined && (
        <div class="page-head">
          <h1>Sessions</h1>
          {sessions !== undefined && (
            <span class="count">
              {sessions.length}
              {isCut && "+"}
            </span>
          )}
        </div>
      )}
      <Lacking what="its sessions" problem={poll.problem.value} />
      {sessions?.length === 0 && <Empty title="Nobody is connected">Live sessions show here while they last.</Empty>}
      {sessions !== undefined && sessions.length > 0 && (
        <Table sessions={sessions} onClose={(session) => (asked.value = session)} />
      )}
      <CloseSession
        asked={asked}
        onClose={(session) => void closeSession({ link, notices }, session).then(() => poll.again())}
      />
    </section>
  );
}

interface TableProps {
  readonly sessions: readonly SessionView[];
  readonly onClose: (session: SessionView) => void;
}

function Table({ sessions, onClose }: TableProps) {
  return (
    <div class="table sessions">
      <div class="table-head" aria-hidden="true">
        <span>Actor</span>
        <span>Context</span>
        <span>Protocol</span>
        <span class="number">Queue</span>
        <span class="number">Lag</span>
        <span class="number">In</span>
        <span class="number">Out</span>
        <span>Since</span>
        <span />
      </div>
      <VirtualList
        items={sessions}
        rowPx={isNarrow.value ? 60 : 36}
        attributes={{ role: "list", "aria-label": "Sessions", tabIndex: 0 }}
        render={(session, index) => (
          <Row key={session.id} session={session} index={index} count={sessions.length} onClose={onClose} />
        )}
      />
    </div>
  );
}

interface RowProps {
  readonly session: SessionView;
  readonly index: number;
  readonly count: number;
  readonly onClose: (session: SessionView) => void;
}

function Row({ session, index, count, onClose }: RowProps) {
  const { id, node, actor, contextId, protocol, queueBytes, lagMs, framesIn, bytesIn, framesOut, bytesOut, openedAt } =
    session;
  return (
    <div class="table-row" role="listitem" aria-posinset={index + 1} aria-setsize={count}>
      <span>
        <Actor name={actor} />
      </span>
      <span class="mono">
        <a href={hrefOf({ view: "context", id: contextId, tab: "document" })}>{contextId}</a>
      </span>
      <span title={node === undefined ? undefined : `At node ${node}`}>
        <Pill tone={protocol === "mcm.v1" ? "info" : undefined}>{protocol}</Pill>
      </span>
      <span class="number" title="Handed over and not taken by the receiver yet">
        {bytesText(queueBytes)}
      </span>
      <span class={`number${lagMs > 0 ? " behind" : ""}`}>
        {lagMs > 0 ? spanText(lagMs) || `${Math.ceil(lagMs)} ms` : "–"}
      </span>
      <span class="number" title={`${framesIn} messages`}>
        {bytesText(bytesIn)}
      </span>
      <span class="number" title={`${framesOut} messages`}>
        {bytesText(bytesOut)}
      </span>
      <span class="dim">
        <Ago atMs={Date.parse(openedAt)} />
      </span>
      <span class="deeds">
        <a href={hrefOf({ view: "session", id })} aria-label={`Traffic of ${actor} on ${contextId}`}>
          Traffic
        </a>
        <button
          type="button"
          class="quiet danger"
          aria-label={`Close ${actor}’s session on ${contextId}`}
          onClick={() => onClose(session)}
        >
          Close
        </button>
      </span>
    </div>
  );
}
