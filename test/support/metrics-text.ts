/** Prometheus' text format, taken apart: each series and its value. */

export function metricsIn(text: string): ReadonlyMap<string, number> {
  const found = new Map<string, number>();
  for (const line of text.split("\n")) {
    if (line === "" || line.startsWith("#")) continue;
    const at = line.lastIndexOf(" ");
    const [series, value] = [line.slice(0, at), Number(line.slice(at + 1))];
    if (found.has(series) || Number.isNaN(value)) throw new Error(`twice, or no number: ${line}`);
    found.set(series, value);
  }
  return found;
}
