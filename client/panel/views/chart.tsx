/** A chart of the last minutes: lines on a canvas, and the latest values in words beside their colours. */
import { useEffect, useRef } from "preact/hooks";
import type UPlot from "uplot";
import { clockText } from "../store/when.ts";
import { lookChanges } from "./theme.tsx";

export interface Series {
  readonly label: string;
  readonly hue: number;
  readonly values: readonly number[];
}

interface ChartProps {
  readonly title: string;
  /** Seconds since 1970, one for each value. */
  readonly atS: readonly number[];
  readonly series: readonly Series[];
  readonly text: (value: number) => string;
}

const HEIGHT_PX = 130;
/** Two minutes, however little was seen. */
const SPAN_S_MIN = 120;

export function Chart({ title, atS, series, text }: ChartProps) {
  const box = useRef<HTMLDivElement>(null);
  const plot = useRef<UPlot | undefined>(undefined);
  const data = (): UPlot.AlignedData => [[...atS], ...series.map(({ values }) => [...values])];
  const changes = lookChanges.value;
  useEffect(() => {
    const { current } = box;
    if (current === null) return undefined;
    const end = new AbortController();
    const observer = new ResizeObserver(() => plot.current?.setSize({ width: current.clientWidth, height: HEIGHT_PX }));
    // only who looks at charts loads what draws them
    speakSomeLanguage();
    void import("uplot").then(({ default: Plot }) => {
      if (end.signal.aborted) return;
      plot.current = new Plot(optionsOf(current, series, text), data(), current);
      observer.observe(current);
    });
    return () => {
      end.abort();
      observer.disconnect();
      plot.current?.destroy();
      plot.current = undefined;
    };
  }, [changes]);
  useEffect(() => plot.current?.setData(data()), [atS]);
  const latest = series.map(({ label, values }) => `${label} ${text(values.at(-1) ?? 0)}`).join(", ");
  return (
    <figure class="chart">
      <figcaption>
        <h2>{title}</h2>
        <ul>
          {series.map(({ label, hue, values }) => (
            <li key={label} class={`hue-${hue}`}>
              <span class="dot" aria-hidden="true" />
              {label} <strong>{text(values.at(-1) ?? 0)}</strong>
            </li>
          ))}
        </ul>
      </figcaption>
      <div ref={box} role="img" aria-label={`${title} over the last minutes; now ${latest}`} />
    </figure>
  );
}

function optionsOf(box: HTMLElement, series: readonly Series[], text: (value: number) => string): UPlot.Options {
  const dim = colourOf(box, "--dim");
  const grid = { stroke: colourOf(box, "--line"), width: 1 };
  const axis = { stroke: dim, grid, ticks: { show: false }, font: "11px system-ui, sans-serif" };
  return {
    width: Math.max(box.clientWidth, 100),
    height: HEIGHT_PX,
    padding: [8, 8, 0, 0],
    legend: { show: false },
    cursor: { show: false },
    scales: {
      x: { range: (_plot, min, max) => [Math.min(min, max - SPAN_S_MIN), max] },
      y: { range: (_plot, _min, max) => [0, max > 0 ? max * 1.15 : 1] },
    },
    axes: [
      { ...axis, size: 28, values: (_plot, ticks) => ticks.map((atS) => clockText(atS * 1000).slice(0, 8)) },
      { ...axis, size: 58, values: (_plot, ticks) => ticks.map(text) },
    ],
    series: [
      {},
      ...series.map(({ label, hue }) => ({
        label,
        stroke: colourOf(box, `--hue-${hue}`),
        width: 1.5,
        points: { show: false },
      })),
    ],
  };
}

/** A canvas knows no custom properties. */
function colourOf(box: HTMLElement, name: string): string {
  const probe = document.createElement("span");
  probe.style.color = `var(${name})`;
  box.append(probe);
  const { color } = getComputedStyle(probe);
  probe.remove();
  return color;
}

/** uPlot formats in the browser's language, and fails where that is none: "en-US@posix", on a machine without a locale. */
function speakSomeLanguage(): void {
  try {
    Intl.getCanonicalLocales(navigator.language);
  } catch {
    Object.defineProperty(navigator, "language", { value: "en-US", configurable: true });
  }
}
