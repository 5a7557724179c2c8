/**
 * How the name of a type is spelled: like a context's id, so that it is safe in an address, a file name and a key.
 */
import { ServiceError } from "../../shared/errors.ts";

const TYPE_NAME = /^[A-Za-z0-9][A-Za-z0-9._:-]{0,127}$/;

/** @throws {ServiceError} INVALID_REQUEST */
export function checkTypeName(name: string): void {
  if (TYPE_NAME.test(name)) return;
  throw new ServiceError(
    "INVALID_REQUEST",
    "The type's name is not valid. Use 1 to 128 letters, digits, '.', '_', ':' or '-', starting with a letter or digit.",
  );
}
