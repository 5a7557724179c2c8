/** All that is told of the frame that was chosen. */
import { isJsonObject } from "../../../shared/json.ts";
import type { Json } from "../../../shared/json.ts";
import { hrefOf } from "../store/route.ts";
import type { SessionTraffic } from "../store/session-traffic.ts";
import { bytesText, clockText } from "../store/when.ts";

interface FrameViewProps {
  readonly traffic: SessionTraffic;
  readonly contextId: string;
}

export function FrameView({ traffic, contextId }: FrameViewProps) {
  const line = traffic.chosen.value;
  const frame = line === undefined || "missed" in line ? undefined : line.frame;
  return (
    <aside class="pane inspector" aria-label="Chosen frame" tabIndex={0}>
      {frame === undefined ? (
        <p class="waiting">Choose a frame to see all that is told of it. Content of documents is not.</p>
      ) : (
        <>
          <div class="pane-head">
            <h2 class="mono">{frame.type}</h2>
          </div>
          <dl class="facts">
            <dt>direction</dt>
            <dd>{frame.direction === "in" ? "from the client" : "to the client"}</dd>
            <dt>time</dt>
            <dd>{clockText(Date.parse(frame.at))}</dd>
            <dt>size</dt>
            <dd>{bytesText(frame.bytes)}</dd>
            {Object.entries(frame.facts).map(([name, value]) => (
              <Fact key={name} name={name} value={value} contextId={contextId} />
            ))}
          </dl>
        </>
      )}
    </aside>
  );
}

interface FactProps {
  readonly name: string;
  readonly value: Json;
  readonly contextId: string;
}

function Fact({ name, value, contextId }: FactProps) {
  return (
    <>
      <dt>{name}</dt>
      <dd class="mono">
        {(Array.isArray(value) ? value : [value]).map((it, index) =>
          typeof it === "string" && name.startsWith("path") ? (
            <a key={index} href={hrefOf({ view: "context", id: contextId, tab: "document", path: it })}>
              {it === "" ? "everything" : it}
            </a>
          ) : (
            <span key={index}>{textOf(it)}</span>
          ),
        )}
      </dd>
    </>
  );
}

function textOf(value: Json): string {
  if (value === null || typeof value !== "object") return String(value);
  if (!isJsonObject(value)) return value.map(textOf).join(", ");
  return Object.entries(value)
    .map(([name, it]) => `${name} ${textOf(it)}`)
    .join("  ");
}
