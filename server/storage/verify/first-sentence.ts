/** Of a refusal what is wrong, without what to do: of many findings that is said once. */
export function firstSentence(text: string): string {
  return text.split(/(?<=[^.])\. /)[0] ?? text;
}
