/** Runs on the worker thread of document-pool.ts, which calls these by their names. */
export { assemble, encode } from "./document-maker.ts";
