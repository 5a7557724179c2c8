/**
 * `mcm type`: registers JSON Schemas that contexts of a type keep to.
 */
import type { Command } from "commander";
import { isJsonObject } from "../../../shared/json.ts";
import type { JsonObject } from "../../../shared/json.ts";
import type { TypeResult, TypeView } from "../../../shared/protocol/rest-types.ts";
import { addClientOptions, clientOf } from "../client-command.ts";
import type { Cli, ClientFlags } from "../client-command.ts";
import { jsonArgument } from "../json-argument.ts";
import { counted, jsonText, pathText, safe, table } from "../output.ts";

interface PutFlags extends ClientFlags {
  readonly dryRun?: boolean;
}

export function addType(program: Command, cli: Cli): void {
  const group = program
    .command("type")
    .summary("list, register and delete types")
    .description("Types: JSON Schemas (draft 2020-12) that the contexts of a type keep to.")
    .addHelpText(
      "after",
      "\nExamples:\n  mcm type list\n  mcm type put task task.json --dry-run\n  mcm type get task > task.json",
    );
  addTypeList(group, cli);
  addTypeGet(group, cli);
  addTypePut(group, cli);
  addTypeDelete(group, cli);
}

function addTypeList(group: Command, cli: Cli): void {
  addClientOptions(group.command("list").description("Lists the types.")).action(async (flags: ClientFlags) => {
    const list = await clientOf(cli, flags).types();
    if (flags.json === true) return cli.io.out(jsonText(list));
    if (list.types.length === 0) return cli.io.err("No types. Register one with 'mcm type put <name> <file>'.");
    cli.io.out(table([["NAME", "REVISION", "UPDATED", "WHO"], ...list.types.map(typeRow)], cli.color));
  });
}

function typeRow({ name, revision, updatedAt, updatedBy }: TypeView): string[] {
  return [safe(name), String(revision), updatedAt, safe(updatedBy)];
}

function addTypeGet(group: Command, cli: Cli): void {
  const command = group.command("get").description("Prints a type's schema.").argument("<name>", "the type's name");
  addClientOptions(command).action(async (name: string, flags: ClientFlags) => {
    const type = await clientOf(cli, flags).type(name);
    if (flags.json === true) return cli.io.out(jsonText(type));
    cli.io.err(cli.color.dim(`${type.name}, revision ${type.revision}, updated ${type.updatedAt}`));
    cli.io.out(jsonText(type.schema, 2));
  });
}

function addTypePut(group: Command, cli: Cli): void {
  const command = group
    .command("put")
    .description("Registers a schema, or a newer one, and reports which contexts of the type break it.")
    .argument("<name>", "the type's name")
    .argument("<file>", "a JSON Schema, '-' for stdin")
    .option("--dry-run", "only check the contexts of the type");
  addClientOptions(command).action(async (name: string, file: string, flags: PutFlags, self: Command) => {
    const schema = schemaOf(await cli.io.read(file), file, self);
    const result = await clientOf(cli, flags).putType(name, schema, { dryRun: flags.dryRun });
    if (flags.json === true) return cli.io.out(jsonText(result));
    const { type, report } = result;
    const done = flags.dryRun === true ? "is not registered (dry run)" : `is registered, revision ${type.revision}`;
    const broken = report.invalid.length === 1 ? "1 breaks it" : `${report.invalid.length} break it`;
    cli.io.out(`${type.name} ${done}: ${counted(report.checked, "context")} checked, ${broken}`);
    if (report.invalid.length > 0) cli.io.out(violationLines(report));
  });
}

function violationLines({ invalid }: TypeResult["report"]): string {
  return invalid
    .flatMap(({ id, violations }) => violations.map((it) => `  ${id} ${pathText(it.path)}: ${safe(it.message)}`))
    .join("\n");
}

function addTypeDelete(group: Command, cli: Cli): void {
  const command = group
    .command("delete")
    .description("Deletes a type; its contexts stay and are not checked any more.")
    .argument("<name>", "the type's name");
  addClientOptions(command).action(async (name: string, flags: ClientFlags) => {
    await clientOf(cli, flags).deleteType(name);
    if (flags.json !== true) cli.io.out(`${safe(name)} is deleted`);
  });
}

function schemaOf(text: string, file: string, command: Command): JsonObject {
  const value = jsonArgument(text, file);
  return isJsonObject(value) ? value : command.error(`error: ${file} must hold a JSON object`);
}
