/** Who holds what, why, for how long; and who waits. */
import { useEffect, useMemo } from "preact/hooks";
import type { LockInfo, LockWaiter } from "../../locks.ts";
import { LockBoard } from "../store/lock-board.ts";
import type { OpenContext } from "../store/open-context.ts";
import { hrefOf } from "../store/route.ts";
import { spanText } from "../store/when.ts";
import { Actor, Ago, Empty, Pill, ProblemNote, nowMs } from "./bits.tsx";

export function LocksView({ opened }: { readonly opened: OpenContext }) {
  const board = useMemo(() => new LockBoard(opened), [opened]);
  useEffect(() => board.start(), [board]);
  const locks = board.locks.value;
  const waiting = board.waiting.value ?? [];
  const mayForce = opened.access.value?.isAdmin !== false;
  return (
    <div class="pane alone">
      <ProblemNote problem={board.problem.value} />
      {locks?.length === 0 && waiting.length === 0 && (
        <Empty title="Nothing is locked">Everybody who may write here can write everywhere.</Empty>
      )}
      {locks !== undefined && locks.length + waiting.length > 0 && (
        <div class="scroll" tabIndex={0} role="region" aria-label="Locks">
          <table>
            <thead>
              <tr>
                <th scope="col">Holder</th>
                <th scope="col">Paths</th>
                <th scope="col">Purpose</th>
                <th scope="col">Time left</th>
                <th scope="col">Token</th>
                <th scope="col">
                  <span class="visually-hidden">Deeds</span>
                </th>
              </tr>
            </thead>
            <tbody>
              {locks.map((lock) => (
                <Row key={lock.lockId} opened={opened} board={board} lock={lock} mayForce={mayForce} />
              ))}
            </tbody>
          </table>
          {waiting.length > 0 && <Queue opened={opened} waiting={waiting} />}
        </div>
      )}
    </div>
  );
}

interface RowProps {
  readonly opened: OpenContext;
  readonly board: LockBoard;
  readonly lock: LockInfo;
  readonly mayForce: boolean;
}

function Row({ opened, board, lock, mayForce }: RowProps) {
  const { holder, paths, mode, purpose, fencingToken, expiresAtMs, ttlMs } = lock;
  const leftMs = Math.max(0, expiresAtMs - nowMs());
  const isOwn = holder === opened.link.actor;
  return (
    <tr>
      <td>
        <Actor name={holder} /> {mode === "shared" && <Pill>shared</Pill>}
      </td>
      <Paths opened={opened} paths={paths} />
      <td>{purpose ?? <span class="dim">–</span>}</td>
      <td class="left">
        <meter min={0} max={ttlMs} low={ttlMs / 3} value={leftMs} aria-label={`Time left of ${holder}'s lock`} />
        {spanText(leftMs) || "0 s"}
      </td>
      <td class="mono">{fencingToken}</td>
      <td class="deeds">
        {(isOwn || mayForce) && (
          <button
            type="button"
            class={isOwn ? "" : "danger"}
            aria-label={`Release ${holder}'s lock on ${paths.join(", ") || "everything"}`}
            onClick={() => void board.release(lock)}
          >
            Release
          </button>
        )}
      </td>
    </tr>
  );
}

function Paths({ opened, paths }: { readonly opened: OpenContext; readonly paths: readonly string[] }) {
  return (
    <td class="paths">
      {paths.map((path) => (
        <a key={path} class="mono" href={hrefOf({ view: "context", id: opened.id, tab: "document", path })}>
          {path === "" ? "everything" : path}
        </a>
      ))}
    </td>
  );
}

interface QueueProps {
  readonly opened: OpenContext;
  readonly waiting: readonly LockWaiter[];
}

function Queue({ opened, waiting }: QueueProps) {
  return (
    <table class="queue">
      <caption>Waiting, first come, first served</caption>
      <thead>
        <tr>
          <th scope="col">Who</th>
          <th scope="col">Paths</th>
          <th scope="col">Purpose</th>
          <th scope="col">Asked</th>
          <th scope="col">Gives up in</th>
          <th scope="col">Place</th>
        </tr>
      </thead>
      <tbody>
        {waiting.map(({ lockId, actor, sessionId, mode, paths, purpose, sinceMs, untilMs, position }) => (
          <tr key={lockId}>
            <td>
              <Actor name={actor} /> {mode === "shared" && <Pill>shared</Pill>}
              {sessionId !== undefined && (
                <span class="mono dim" title={`Session ${sessionId}`}>
                  {sessionId.slice(0, 8)}
                </span>
              )}
            </td>
            <Paths opened={opened} paths={paths} />
            <td>{purpose ?? <span class="dim">–</span>}</td>
            <td>
              <Ago atMs={sinceMs} />
            </td>
            <td>{spanText(untilMs - nowMs()) || "0 s"}</td>
            <td class="mono">{position === 1 ? "next" : `${position}.`}</td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}
