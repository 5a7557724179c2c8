/** Times, sizes and amounts as people read them. */
const UNITS = [
  [1000 * 60 * 60 * 24, "d"],
  [1000 * 60 * 60, "h"],
  [1000 * 60, "min"],
  [1000, "s"],
] as const;

/** "3 min ago"; "now" within a second, and for what is to come. */
export function agoText(atMs: number, nowMs: number): string {
  const span = spanText(nowMs - atMs);
  return span === "" ? "now" : `${span} ago`;
}

/** "3 min"; "" below a second. */
export function spanText(ms: number): string {
  for (const [unitMs, name] of UNITS) if (ms >= unitMs) return `${Math.floor(ms / unitMs)} ${name}`;
  return "";
}

export function bytesText(bytes: number): string {
  if (bytes < 1000) return `${bytes} B`;
  if (bytes < 1_000_000) return `${trimmed(bytes / 1000)} kB`;
  return bytes < 1e9 ? `${trimmed(bytes / 1e6)} MB` : `${trimmed(bytes / 1e9)} GB`;
}

/** "14:03:07.250" */
export function clockText(atMs: number): string {
  const at = new Date(atMs);
  const two = (count: number): string => String(count).padStart(2, "0");
  return `${two(at.getHours())}:${two(at.getMinutes())}:${two(at.getSeconds())}.${String(at.getMilliseconds()).padStart(3, "0")}`;
}

function trimmed(amount: number): string {
  return amount >= 100 ? amount.toFixed(0) : amount.toFixed(1);
}
