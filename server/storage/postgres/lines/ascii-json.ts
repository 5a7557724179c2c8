/** JSON with a byte for each character: it can be measured and cut anywhere. */
import type { Json } from "../../../../shared/json.ts";

export function asciiJson(value: Readonly<Record<string, Json | undefined>> | Json): string {
  const escaped = (char: string): string => `\\u${char.charCodeAt(0).toString(16).padStart(4, "0")}`;
  return JSON.stringify(value).replace(/[\u0080-\uffff]/g, escaped);
}
