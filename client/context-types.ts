/**
 * The types that a server knows: names with a JSON Schema that contexts of the type keep to.
 *
 * Not here: TypeScript's types of data (typed-data.ts), what the words mean (shared/context-type.ts).
 */
import type { ContextType, TypeReport } from "../shared/context-type.ts";
import { typeOf } from "./from-wire.ts";
import type { DatedType } from "./from-wire.ts";
import type { Rest } from "./rest.ts";

export interface Registered {
  readonly type: ContextType;
  /** What the contexts of this type say to it. */
  readonly report: TypeReport;
}

export class ContextTypes {
  readonly #rest: Rest;

  constructor(rest: Rest) {
    this.#rest = rest;
  }

  /** @throws {ServiceError} UNREACHABLE */
  async list(): Promise<ContextType[]> {
    const { types } = await this.#rest.call<{ types: DatedType[] }>("GET", ["types"]);
    return types.map(typeOf);
  }

  /** @throws {ServiceError} TYPE_NOT_FOUND, UNREACHABLE */
  async get(name: string): Promise<ContextType> {
    return typeOf(await this.#rest.call("GET", ["types", name]));
  }

  /**
   * Registers a JSON Schema (draft 2020-12), or a newer one, and checks the contexts of this type; with `dryRun` it only
   * checks them. @throws {ServiceError} INVALID_SCHEMA, LIMIT_EXCEEDED, UNREACHABLE
   */
  async put(name: string, schema: object, options: { readonly dryRun?: boolean } = {}): Promise<Registered> {
    const { type, report } = await this.#rest.call<{ type: DatedType; report: TypeReport }>("PUT", ["types", name], {
      query: options,
      body: { schema },
    });
    return { type: typeOf(type), report };
  }

  /** Contexts of this type keep its name and are not checked any more. @throws {ServiceError} TYPE_NOT_FOUND, UNREACHABLE */
  async delete(name: string): Promise<void> {
    await this.#rest.call("DELETE", ["types", name]);
  }
}
