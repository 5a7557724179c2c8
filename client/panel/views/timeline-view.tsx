/** What happened to a context, change by change; and the document as it was after each. */
import { useSignal } from "@preact/signals";
import { useEffect, useMemo } from "preact/hooks";
import type { ChangeRecord } from "../../../shared/change.ts";
import { NewestChanges } from "../store/newest-changes.ts";
import type { OpenContext } from "../store/open-context.ts";
import { PastDocument } from "../store/past-document.ts";
import { Reverting } from "../store/reverting.ts";
import type { Route } from "../store/route.ts";
import { bytesText } from "../store/when.ts";
import { Actor, Ago, Empty, Pill, ProblemNote } from "./bits.tsx";
import { PastView } from "./past-view.tsx";
import { RevertDialog } from "./revert-dialog.tsx";
import { VirtualList } from "./virtual-list.tsx";

interface TimelineProps {
  readonly opened: OpenContext;
  readonly route: Extract<Route, { view: "context" }>;
}

export function TimelineView({ opened, route }: TimelineProps) {
  const changes = useMemo(() => new NewestChanges(opened), [opened]);
  const past = useMemo(() => new PastDocument(opened), [opened]);
  const reverting = useMemo(() => new Reverting(opened), [opened]);
  useEffect(() => {
    changes.filter.value = { actor: route.actor ?? "", path: route.path ?? "" };
    const stop = changes.start();
    past.show(opened.version.peek());
    return () => {
      stop();
      past.stop();
    };
  }, [changes, past]);
  return (
    <div class="split timeline">
      <div class="pane">
        <Filters changes={changes} />
        <ProblemNote problem={changes.problem.value} />
        <Changes opened={opened} changes={changes} past={past} />
      </div>
      <PastView opened={opened} past={past} reverting={reverting} />
      <RevertDialog reverting={reverting} actors={changes.actors.value} />
    </div>
  );
}

function Filters({ changes }: { readonly changes: NewestChanges }) {
  const { actor, path } = changes.filter.value;
  const typed = useSignal(path);
  const names = [...new Set([...changes.actors.value, ...(actor === "" ? [] : [actor])])].sort();
  return (
    <form
      class="pane-head filters-row"
      role="search"
      onSubmit={(event) => {
        event.preventDefault();
        changes.find({ actor, path: typed.peek().trim() });
      }}
    >
      <select
        aria-label="Changes of"
        value={actor}
        onChange={({ currentTarget }) => changes.find({ actor: currentTarget.value, path })}
      >
        <option value="">Everybody</option>
        {names.map((name) => (
          <option key={name} value={name}>
            {name}
          </option>
        ))}
      </select>
      <input
        class="grow mono"
        aria-label="Changes at path"
        placeholder="/path, then Enter"
        value={typed.value}
        onInput={({ currentTarget }) => {
          typed.value = currentTarget.value;
        }}
      />
    </form>
  );
}

interface ChangesProps {
  readonly opened: OpenContext;
  readonly changes: NewestChanges;
  readonly past: PastDocument;
}

const ROW_PX = 46;

function Changes({ opened, changes, past }: ChangesProps) {
  const list = changes.list.value;
  const waiting = opened.unsaved.value;
  const shown = past.wanted.value?.to;
  if (list === undefined) return null;
  if (list.length === 0)
    return <Empty title="No changes">Nothing was changed here, by whom and where you look for.</Empty>;
  return (
    <>
      <p class="row-note">
        {waiting === 0 ? <Pill tone="good">acknowledged</Pill> : <Pill tone="warn">waiting</Pill>}
        <span class="dim">
          {waiting === 0 ? "In the log before anybody saw it." : `${waiting} of your edits, not listed yet.`}
        </span>
      </p>
      <VirtualList
        items={list}
        rowPx={ROW_PX}
        look="changes"
        attributes={{ role: "list", "aria-label": "Changes, the newest first", tabIndex: 0 }}
        render={(change, index) => (
          <Change
            key={change.version}
            change={change}
            index={index}
            count={list.length}
            isShown={change.version === shown}
            onShow={() => past.show(change.version, change.version - 1)}
          />
        )}
      />
      {changes.hasMore.value && (
        <button type="button" class="quiet more" onClick={() => void changes.more()}>
          Older changes
        </button>
      )}
    </>
  );
}

interface ChangeProps {
  readonly change: ChangeRecord;
  readonly index: number;
  readonly count: number;
  readonly isShown: boolean;
  readonly onShow: () => void;
}

const PATHS_SHOWN = 3;

function Change({ change, index, count, isShown, onShow }: ChangeProps) {
  const { version, actor, origin, atMs, message, paths, resolves, bytes } = change;
  const more = paths.length - PATHS_SHOWN;
  return (
    <div role="listitem" aria-posinset={index + 1} aria-setsize={count}>
      <button
        type="button"
        class={`change${isShown ? " selected" : ""}`}
        aria-pressed={isShown}
        aria-label={`Version ${version} by ${actor}`}
        onClick={onShow}
      >
        <span class="version">v{version}</span>
        <Actor name={actor} />
        <Pill>{origin}</Pill>
        {resolves !== undefined && <Pill tone="info">resolves {resolves}</Pill>}
        <span class="dim end">
          {bytes !== undefined && <span title="Size of the update">{bytesText(bytes)}</span>}
          <Ago atMs={atMs} />
        </span>
        <span class="change-what">
          {message !== undefined && <q>{message}</q>}
          <span class="mono dim">
            {paths
              .slice(0, PATHS_SHOWN)
              .map((path) => (path === "" ? "everything" : path))
              .join("  ")}
            {more > 0 && ` +${more}`}
          </span>
        </span>
      </button>
    </div>
  );
}
