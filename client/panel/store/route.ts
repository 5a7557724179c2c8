/**
 * Which view is open, and how an address says so: `#/contexts/<id>/timeline?actor=ada`, `#/sessions/<id>`. Others link to these:
 * they are for ever.
 *
 * Invariants (PANEL):
 *  1. `routeOf(hrefOf(route))` is the route; what is no address of ours is the list of contexts.
 *  2. No address has a token in it.
 */
export const CONTEXT_TABS = ["document", "timeline", "locks", "conflicts", "refusals", "sessions"] as const;
export type ContextTab = (typeof CONTEXT_TABS)[number];

export const PLACES = ["contexts", "denied", "sessions", "health"] as const;
export type Place = (typeof PLACES)[number];

export type Route =
  | { readonly view: Place }
  /** The traffic of one. */
  | { readonly view: "session"; readonly id: string }
  | {
      readonly view: "context";
      readonly id: string;
      readonly tab: ContextTab;
      /** Where in the document. */
      readonly path?: string;
      /** Of which only the changes are shown. */
      readonly actor?: string;
    };

export function routeOf(hash: string): Route {
  const [steps = "", query = ""] = hash.replace(/^#?\/?/, "").split("?", 2);
  const [place, id, tab] = steps.split("/").map(decoded);
  if (place === "contexts" && id !== undefined && id !== "") {
    const asked = new URLSearchParams(query);
    const path = asked.get("path");
    const actor = asked.get("actor");
    return {
      view: "context",
      id,
      tab: CONTEXT_TABS.find((name) => name === tab) ?? "document",
      ...(path === null ? {} : { path }),
      ...(actor === null ? {} : { actor }),
    };
  }
  return placeOf(place, id);
}

function placeOf(place: string | undefined, id = ""): Route {
  if (place === "sessions" && id !== "") return { view: "session", id };
  return { view: PLACES.find((name) => name === place) ?? "contexts" };
}

export function hrefOf(route: Route): string {
  if (route.view === "session") return `#/sessions/${encodeURIComponent(route.id)}`;
  if (route.view !== "context") return `#/${route.view}`;
  const { id, tab, path, actor } = route;
  const query = new URLSearchParams();
  if (path !== undefined) query.set("path", path);
  if (actor !== undefined) query.set("actor", actor);
  const steps = `#/contexts/${encodeURIComponent(id)}${tab === "document" ? "" : `/${tab}`}`;
  return query.size === 0 ? steps : `${steps}?${query}`;
}

function decoded(step: string): string {
  try {
    return decodeURIComponent(step);
  } catch {
    return step;
  }
}
