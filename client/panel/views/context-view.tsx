/** One context: its name and state, who is here, and a tab for each way to look at it. */
import type { DocumentTree } from "../store/document-tree.ts";
import type { OpenContext, Person } from "../store/open-context.ts";
import { CONTEXT_TABS, hrefOf } from "../store/route.ts";
import type { ContextTab, Route } from "../store/route.ts";
import { IconButton, Pill, ProblemNote, copy, hueOf } from "./bits.tsx";
import { ConflictsView } from "./conflicts-view.tsx";
import { DocumentView } from "./document-view.tsx";
import { Icon } from "./icon.tsx";
import { LocksView } from "./locks-view.tsx";
import { RefusalsView } from "./refusals-view.tsx";
import { SessionsView } from "./sessions-view.tsx";
import { TimelineView } from "./timeline-view.tsx";

type ContextRoute = Extract<Route, { view: "context" }>;

interface ContextViewProps {
  readonly opened: OpenContext;
  readonly route: ContextRoute;
}

export function ContextView({ opened, route }: ContextViewProps) {
  const opening = opened.opening.value;
  return (
    <section class="page" aria-labelledby="context-title">
      <Head opened={opened} />
      <Tabs route={route} />
      {opening.is === "opening" && (
        <p class="waiting" role="status">
          Opening…
        </p>
      )}
      {opening.is === "failed" && (
        <div class="card narrow">
          <ProblemNote problem={opening.problem} />
          <button type="button" class="primary" onClick={() => void opened.open()}>
            Open it again
          </button>
        </div>
      )}
      {opening.is === "open" && <Tab opened={opened} tree={opening.tree} route={route} />}
    </section>
  );
}

interface TabProps extends ContextViewProps {
  readonly tree: DocumentTree;
}

function Tab({ opened, tree, route }: TabProps) {
  switch (route.tab) {
    case "timeline":
      return <TimelineView opened={opened} route={route} />;
    case "locks":
      return <LocksView opened={opened} />;
    case "conflicts":
      return <ConflictsView opened={opened} />;
    case "refusals":
      return <RefusalsView opened={opened} />;
    case "sessions": {
      const { id, machine, link, notices } = opened;
      return <SessionsView machine={machine} link={link} notices={notices} contextId={id} />;
    }
    default:
      return <DocumentView opened={opened} tree={tree} route={route} />;
  }
}

function Head({ opened }: { readonly opened: OpenContext }) {
  const { id, link } = opened;
  const isOpen = opened.opening.value.is === "open";
  return (
    <div class="page-head">
      <a class="icon-button" href="#/contexts" aria-label="Back to all contexts">
        <Icon name="back" />
      </a>
      <h1 id="context-title" class="mono">
        {id}
      </h1>
      <IconButton icon="copy" label="Copy the id" onClick={() => void opened.notices.tried(() => copy(id))} />
      {isOpen && (
        <>
          <span class="version" title="Version: the number of changes">
            v{opened.version.value}
          </span>
          <Status opened={opened} />
          <People people={opened.people.value} own={link.actor} onOpen={(path) => opened.reveal(path)} />
        </>
      )}
    </div>
  );
}

function Status({ opened }: { readonly opened: OpenContext }) {
  const unsaved = opened.unsaved.value;
  const access = opened.access.value;
  return (
    <>
      {opened.status.value === "online" ? (
        <Pill tone="good">live</Pill>
      ) : (
        <Pill tone="warn">offline, trying again</Pill>
      )}
      {access?.mayWrite === false && <Pill>read only</Pill>}
      {unsaved > 0 && <Pill tone="warn">{unsaved} not acknowledged</Pill>}
    </>
  );
}

interface PeopleProps {
  readonly people: readonly Person[];
  readonly own: string;
  readonly onOpen: (path: string) => void;
}

const PEOPLE_SHOWN = 6;

/** The others who have it open, and ourselves. */
function People({ people, own, onOpen }: PeopleProps) {
  const more = people.length - PEOPLE_SHOWN;
  return (
    <ul class="people" aria-label={`Here: ${people.length + 1}`}>
      <li>
        <span class={`face ${hueOf(own)}`} title={`${own} (you)`}>
          {own.slice(0, 2)}
        </span>
      </li>
      {people.slice(0, PEOPLE_SHOWN).map(({ id, actor, path }) => (
        <li key={id}>
          {path === undefined ? (
            <span class={`face ${hueOf(actor)}`} title={actor}>
              {actor.slice(0, 2)}
            </span>
          ) : (
            <button
              type="button"
              class={`face ${hueOf(actor)}`}
              title={`${actor} looks at ${path}`}
              aria-label={`${actor} looks at ${path}. Go there`}
              onClick={() => onOpen(path)}
            >
              {actor.slice(0, 2)}
            </button>
          )}
        </li>
      ))}
      {more > 0 && <li class="dim">+{more}</li>}
    </ul>
  );
}

const TAB_NAMES: Readonly<Record<ContextTab, string>> = {
  document: "Document",
  timeline: "Timeline",
  locks: "Locks",
  conflicts: "Conflicts",
  refusals: "Refusals",
  sessions: "Sessions",
};

function Tabs({ route }: { readonly route: ContextRoute }) {
  return (
    <nav class="tabs" aria-label="Of this context">
      {CONTEXT_TABS.map((tab) => (
        <a
          key={tab}
          href={hrefOf({ view: "context", id: route.id, tab })}
          aria-current={tab === route.tab ? "page" : undefined}
        >
          {TAB_NAMES[tab]}
        </a>
      ))}
    </nav>
  );
}
