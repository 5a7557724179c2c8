/** The frame of the page: where one is, where one can go, who one is, and what just happened. */
import type { Panel } from "../store/panel.ts";
import { hrefOf } from "../store/route.ts";
import type { Place, Route } from "../store/route.ts";
import { Actor, IconButton, ProblemNote } from "./bits.tsx";
import { ContextView } from "./context-view.tsx";
import { ContextsView } from "./contexts-view.tsx";
import { HealthView } from "./health-view.tsx";
import { DenialsView } from "./refusals-view.tsx";
import { SessionsView } from "./sessions-view.tsx";
import { SignInView } from "./sign-in-view.tsx";
import { ThemeSwitch } from "./theme.tsx";
import { TrafficView } from "./traffic-view.tsx";

interface PanelProps {
  readonly panel: Panel;
}

export function App({ panel }: PanelProps) {
  const standing = panel.signIn.standing.value;
  return (
    <>
      <a class="skip" href="#main" onClick={skip}>
        Skip to content
      </a>
      <header class="bar">
        <a class="brand" href="#/contexts" aria-label="All contexts">
          <svg viewBox="0 0 16 16" aria-hidden="true">
            <path d="M3 4h10M3 8h6M3 12h8" />
          </svg>
          <span>mcm</span>
        </a>
        {standing.is === "in" && <Places route={panel.route.value} />}
        <div class="bar-end">
          {standing.is === "in" && <Who panel={panel} />}
          <ThemeSwitch />
        </div>
      </header>
      <main id="main" tabIndex={-1}>
        {standing.is === "in" ? <View panel={panel} /> : <SignInView panel={panel} />}
      </main>
      <Toasts panel={panel} />
    </>
  );
}

/** The address says the view, so a link into the page cannot be one. */
function skip(event: Event): void {
  event.preventDefault();
  document.getElementById("main")?.focus();
}

const NAMES: Readonly<Record<Place, string>> = {
  contexts: "Contexts",
  denied: "Denied",
  sessions: "Sessions",
  health: "Health",
};

/** Of which place a view that is none is a part. */
const INSIDE: Readonly<Partial<Record<Route["view"], Place>>> = { context: "contexts", session: "sessions" };

function Places({ route }: { readonly route: Route }) {
  const here = INSIDE[route.view] ?? route.view;
  return (
    <nav class="places" aria-label="Views">
      {Object.entries(NAMES).map(([place, name]) => (
        <a key={place} href={`#/${place}`} aria-current={place === here ? "page" : undefined}>
          {name}
        </a>
      ))}
    </nav>
  );
}

function Who({ panel }: PanelProps) {
  const desk = panel.desk.value;
  if (desk === undefined) return null;
  const { actor, isOpen } = desk.link;
  const rename = (): void => {
    const name = prompt("The name to go by on this server, which believes it:", actor);
    if (name !== null) void panel.signIn.as(name);
  };
  return (
    <span class="who">
      <Actor name={actor} />
      {isOpen ? (
        <IconButton icon="edit" label="Go by another name" onClick={rename} />
      ) : (
        <IconButton icon="close" label="Sign out" onClick={() => void panel.signIn.out()} />
      )}
    </span>
  );
}

function View({ panel }: PanelProps) {
  const route = panel.route.value;
  const desk = panel.desk.value;
  const opened = panel.open.value;
  if (desk === undefined) return null;
  switch (route.view) {
    case "context":
      return opened === undefined ? null : (
        <ContextView key={hrefOf({ view: "context", id: route.id, tab: "document" })} opened={opened} route={route} />
      );
    case "denied":
      return <DenialsView machine={panel.machine} link={desk.link} />;
    case "sessions":
      return <SessionsView machine={panel.machine} link={desk.link} notices={panel.notices} />;
    case "session":
      return <TrafficView key={route.id} panel={panel} link={desk.link} id={route.id} />;
    case "health":
      return <HealthView machine={panel.machine} link={desk.link} />;
    default:
      return <ContextsView contexts={desk.contexts} />;
  }
}

function Toasts({ panel: { notices } }: PanelProps) {
  return (
    <div class="toasts">
      {notices.list.value.map(({ id, kind, text, code }) => (
        <div key={id} class={`toast ${kind}`}>
          {code === undefined ? <p role="status">{text}</p> : <ProblemNote problem={{ code, text }} />}
          <IconButton icon="close" label="Dismiss" onClick={() => notices.dismiss(id)} />
        </div>
      ))}
    </div>
  );
}
