/**
 * JSON that a person typed or a file holds: read with the server's own strictness, refused as a mistake of usage.
 */
import { InvalidArgumentError } from "commander";
import { toServiceError } from "../../shared/errors.ts";
import type { Json } from "../../shared/json.ts";
import { parseJsonText } from "../../shared/protocol/json-text.ts";

export function jsonArgument(text: string, where: string): Json {
  try {
    return parseJsonText(text);
  } catch (error) {
    throw new InvalidArgumentError(`${where}: ${toServiceError(error).message}`);
  }
}
