/** Concurrent writes of which the merge kept one: both sides, and what was made of it. */
import { useEffect, useMemo } from "preact/hooks";
import { CONFLICT_STATUSES } from "../../../shared/conflict.ts";
import type { Conflict, ConflictSide } from "../../../shared/conflict.ts";
import { ConflictBoard } from "../store/conflict-board.ts";
import type { OpenContext } from "../store/open-context.ts";
import { hrefOf } from "../store/route.ts";
import { Actor, Ago, Empty, Pill, ProblemNote } from "./bits.tsx";

const TONES = { open: "warn", recorded: undefined, resolved: "good" } as const;

export function ConflictsView({ opened }: { readonly opened: OpenContext }) {
  const board = useMemo(() => new ConflictBoard(opened), [opened]);
  useEffect(() => board.start(), [board]);
  const conflicts = board.page.value?.conflicts;
  const mayWrite = opened.access.value?.mayWrite !== false;
  return (
    <div class="pane alone">
      <div class="pane-head" role="group" aria-label="Which conflicts">
        {(["all", ...CONFLICT_STATUSES] as const).map((status) => (
          <button
            key={status}
            type="button"
            class="quiet"
            aria-pressed={board.status.value === status}
            onClick={() => board.show(status)}
          >
            {status}
          </button>
        ))}
      </div>
      <ProblemNote problem={board.problem.value} />
      {conflicts?.length === 0 && (
        <Empty title="No conflicts">Nobody's write was lost to somebody else's at the same place and time.</Empty>
      )}
      {conflicts !== undefined && conflicts.length > 0 && (
        <ul class="cards" aria-label="Conflicts" tabIndex={0}>
          {conflicts.map((conflict) => (
            <li key={conflict.id}>
              <Card opened={opened} board={board} conflict={conflict} mayWrite={mayWrite} />
            </li>
          ))}
        </ul>
      )}
    </div>
  );
}

interface CardProps {
  readonly opened: OpenContext;
  readonly board: ConflictBoard;
  readonly conflict: Conflict;
  readonly mayWrite: boolean;
}

function Card({ opened, board, conflict, mayWrite }: CardProps) {
  const { id, path, kind, policy, winner, loser, status, atMs, resolution, isNested = false } = conflict;
  return (
    <article class="conflict">
      <header>
        <a class="mono" href={hrefOf({ view: "context", id: opened.id, tab: "document", path })}>
          {path === "" ? "everything" : path}
        </a>
        <Pill tone={TONES[status]}>{status}</Pill>
        <span class="dim">
          {kind}, {policy}, {id}
        </span>
        <span class="dim end">
          <Ago atMs={atMs} />
        </span>
      </header>
      <div class="sides">
        <Side title="Kept by the merge" side={winner} tone="won" />
        <Side title="Lost" side={loser} tone="lost" />
      </div>
      {resolution !== undefined && (
        <p class="dim">
          Settled by <Actor name={resolution.actor} /> in v{resolution.version}, <Ago atMs={resolution.atMs} />
        </p>
      )}
      {status !== "resolved" && mayWrite && (
        <p class="conflict-deeds" role="group" aria-label={`Settle ${path}`}>
          <button type="button" disabled={isNested} onClick={() => void board.resolve(conflict, "winner")}>
            Take what was kept
          </button>
          <button type="button" disabled={isNested} onClick={() => void board.resolve(conflict, "loser")}>
            Take what was lost
          </button>
          <button type="button" onClick={() => void board.resolve(conflict, "present")}>
            Leave it as it is now
          </button>
        </p>
      )}
    </article>
  );
}

interface SideProps {
  readonly title: string;
  readonly side: ConflictSide;
  readonly tone: "won" | "lost";
}

function Side({ title, side: { actor, version, value }, tone }: SideProps) {
  return (
    <section class={`side ${tone}`}>
      <h3>
        {title}
        <span class="end">
          {actor === undefined ? <span class="dim">older than what is remembered</span> : <Actor name={actor} />}
          {version !== undefined && <span class="dim">v{version}</span>}
        </span>
      </h3>
      {value === undefined ? (
        <p class="dim">deleted it</p>
      ) : (
        <pre>{typeof value === "string" ? value : JSON.stringify(value, undefined, 1)}</pre>
      )}
    </section>
  );
}
