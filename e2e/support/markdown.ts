/** Fenced code blocks of a Markdown text, in order, with the words of their info strings. */

export interface CodeBlock {
  /** Such as ["sh", "quickstart"]. */
  readonly info: readonly string[];
  readonly code: string;
  /** Where the code begins in the file, from 1. */
  readonly line: number;
}

export function codeBlocks(markdown: string): CodeBlock[] {
  return [...markdown.matchAll(/^```(.*)\n([\s\S]*?)^```\s*$/gm)].map(({ 1: info = "", 2: code = "", index }) => ({
    info: info.trim().split(/\s+/),
    code,
    line: markdown.slice(0, index).split("\n").length + 1,
  }));
}
