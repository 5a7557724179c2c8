#!/usr/bin/env node
/**
 * The program `mcm`: gives the CLI the process and the server.
 *
 * Not here: anything that can be tested without a process.
 */
import process from "node:process";
import { systemIo } from "./cli/io.ts";
import { runCli } from "./cli/program.ts";
import { readEnvironment } from "./config.ts";
import type { Start } from "./cli/commands/serve.ts";

// A reader that has seen enough (`mcm list | head -1`) is no failure.
process.stdout.on("error", (error) => process.exit("code" in error && error.code === "EPIPE" ? 0 : 1));

/** A server is loaded when one is started: most commands never do. */
const start: Start = async (config, parts) => (await import("./server.ts")).startServer(config, parts);

process.exitCode = await runCli(process.argv.slice(2), { io: systemIo(readEnvironment()), start });
