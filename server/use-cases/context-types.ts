/**
 * The use cases of types: register, look up, delete, and what a schema finds in the contexts that have its type.
 *
 * Invariants (TYPE):
 *  1. A schema holds from its registration on; the contexts are checked after that, so that none slips through between.
 *  2. Checking is done one context at a time and lets other work go between two.
 *
 * Not here: keeping types (server/types), admission of writes (server/state/schema/rehearsal.ts).
 */
import type { ContextType, TypeReport } from "../../shared/context-type.ts";
import { ServiceError } from "../../shared/errors.ts";
import type { ContextId } from "../../shared/ids.ts";
import type { JsonObject } from "../../shared/json.ts";
import { LIMITS } from "../../shared/limits.ts";
import { readData } from "../../shared/read-data.ts";
import type { Clock } from "../clock.ts";
import type { ContextAccess } from "../context-access.ts";
import type { Caller, TypeService } from "../context-service.ts";
import type { ContextSchema } from "../state/schema/context-schema.ts";
import { toldOf } from "../state/schema/violations.ts";
import type { ChangeLog } from "../storage/change-log.ts";
import { typeNotFound } from "../types/type-manager.ts";
import type { TypeManager } from "../types/type-manager.ts";

export interface TypeUseCasesOptions {
  readonly access: Pick<ContextAccess, "look">;
  readonly types: TypeManager;
  /** StorageManager fits. */
  readonly storage: Pick<ChangeLog, "list">;
  readonly clock: Clock;
}

export class TypeUseCases implements TypeService {
  readonly #access: Pick<ContextAccess, "look">;
  readonly #types: TypeManager;
  readonly #storage: Pick<ChangeLog, "list">;
  readonly #clock: Clock;

  constructor({ access, types, storage, clock }: TypeUseCasesOptions) {
    this.#access = access;
    this.#types = types;
    this.#storage = storage;
    this.#clock = clock;
  }

  async list(_caller: Caller): Promise<readonly ContextType[]> {
    await this.#types.freshen();
    return this.#types.list();
  }

  async get(_caller: Caller, name: string): Promise<ContextType> {
    await this.#types.freshen();
    const type = this.#types.get(name);
    if (type === undefined) throw typeNotFound();
    return type;
  }

  async put(
    { identity: { actor } }: Caller,
    name: string,
    { schema: asked, dryRun = false }: { readonly schema: JsonObject; readonly dryRun?: boolean },
  ): Promise<{ readonly type: ContextType; readonly report: TypeReport }> {
    if (dryRun) await this.#types.freshen();
    const { type, schema } = dryRun ? this.#types.draft(name, asked, actor) : await this.#types.put(name, asked, actor);
    return { type, report: await this.#report(name, schema) };
  }

  async delete(_caller: Caller, name: string): Promise<void> {
    await this.#types.delete(name);
  }

  async #report(name: string, schema: ContextSchema): Promise<TypeReport> {
    let checked = 0;
    const invalid: TypeReport["invalid"][number][] = [];
    for await (const id of this.#contextsOf(name)) {
      const violations = await this.#violationsIn(id, schema);
      if (violations === undefined) continue;
      checked++;
      if (violations.length > 0 && invalid.length < LIMITS.invalidContextsToldMax) invalid.push({ id, violations });
      await new Promise<void>((resolve) => this.#clock.defer(resolve));
    }
    return { checked, invalid };
  }

  async *#contextsOf(name: string): AsyncIterable<ContextId> {
    for (let after: ContextId | undefined; ;) {
      const page = await this.#storage.list(after, LIMITS.listLimitMax);
      for (const { meta } of page) if (meta.type === name) yield meta.id;
      after = page.at(-1)?.meta.id;
      if (after === undefined || page.length < LIMITS.listLimitMax) return;
    }
  }

  /** Undefined when the context is gone. */
  async #violationsIn(id: ContextId, schema: ContextSchema): Promise<ReturnType<typeof toldOf> | undefined> {
    try {
      const { result } = await this.#access.look(id, (doc) => toldOf(schema.violations(readData(doc, ""))));
      return result;
    } catch (error) {
      if (error instanceof ServiceError && error.code === "CONTEXT_NOT_FOUND") return undefined;
      throw error;
    }
  }
}
