/**
 * Types whose schemas may say `required`, and `type` of members; nothing else is looked at.
 */
import type { ContextType, SchemaViolation, TypeReport } from "../../shared/context-type.ts";
import { ServiceError } from "../../shared/errors.ts";
import { isJsonObject } from "../../shared/json.ts";
import type { Json, JsonObject } from "../../shared/json.ts";
import type { Caller, TypeService } from "../../server/context-service.ts";
import { AT_MS } from "./fake-store.ts";
import type { FakeStore } from "./fake-store.ts";

export class FakeTypes implements TypeService {
  readonly #store: FakeStore;

  constructor(store: FakeStore) {
    this.#store = store;
  }

  async list(): Promise<readonly ContextType[]> {
    return [...this.#store.types.values()].sort((a, b) => (a.name < b.name ? -1 : 1));
  }

  async get(_caller: Caller, name: string): Promise<ContextType> {
    const type = this.#store.types.get(name);
    if (type === undefined) throw new ServiceError("TYPE_NOT_FOUND", "No type of this name is registered.");
    return type;
  }

  async put(
    { identity: { actor } }: Caller,
    name: string,
    { schema, dryRun = false }: { schema: JsonObject; dryRun?: boolean },
  ): Promise<{ type: ContextType; report: TypeReport }> {
    if (typeof (schema["type"] ?? "") !== "string") {
      throw new ServiceError("INVALID_SCHEMA", "The schema's 'type' is none of JSON Schema's. See draft 2020-12.");
    }
    const former = this.#store.types.get(name);
    const isSame = former !== undefined && JSON.stringify(former.schema) === JSON.stringify(schema);
    const revision = (former?.revision ?? 0) + 1;
    const type = isSame ? former : { name, schema, revision, updatedAtMs: AT_MS, updatedBy: actor };
    if (!dryRun) this.#store.types.set(name, type);
    const contexts = this.#store.all().filter(({ state }) => state.meta.type === name);
    const invalid = contexts
      .map(({ state, data }) => ({ id: state.meta.id, violations: violationsIn(data, schema) }))
      .filter(({ violations }) => violations.length > 0);
    return { type, report: { checked: contexts.length, invalid } };
  }

  async delete(_caller: Caller, name: string): Promise<void> {
    if (!this.#store.types.delete(name)) {
      throw new ServiceError("TYPE_NOT_FOUND", "No type of this name is registered.");
    }
  }
}

export function violationsIn(data: JsonObject, schema: JsonObject): SchemaViolation[] {
  const { required = [], properties = {} } = schema;
  const missing = (Array.isArray(required) ? required : []).filter((key) => !Object.hasOwn(data, String(key)));
  const wrong = Object.entries(isJsonObject(properties) ? properties : {}).filter(
    ([key, rule]) => Object.hasOwn(data, key) && isJsonObject(rule) && nameOf(data[key]) !== rule["type"],
  );
  return [
    ...missing.map((key) => ({ path: "", message: `must have '${String(key)}'` })),
    ...wrong.map(([key]) => ({ path: `/${key}`, message: "must be of another type" })),
  ];
}

function nameOf(value: Json | undefined): string {
  return Array.isArray(value) ? "array" : value === null ? "null" : typeof value;
}
