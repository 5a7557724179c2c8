/** What the demo's agents have to say. No text is made up at run time: every run tells the same. */

export interface Chapter {
  readonly key: string;
  readonly title: string;
  /** As the writer types it, with the mistake. */
  readonly text: string;
  readonly mistake: { readonly old: string; readonly new: string };
  readonly facts: readonly [string, string, string];
  /** Not true, and taken back. */
  readonly rumour: string;
  readonly headlines: { readonly planner: string; readonly researcher: string };
}

export const CHAPTERS: readonly Chapter[] = [
  {
    key: "why",
    title: "Why share at all",
    text:
      "Three agents work on one plan. Each reads it, thinks for a minute, and writes it back whole. The last one wins, and what the " +
      "others wrote in that minute is gone; nobody is told. A shared context takes the changes instead, not the wohle.",
    mistake: { old: "wohle", new: "whole" },
    facts: [
      "A file that is read, changed and written back loses what came in between.",
      "An answer that is given before the disk has the change can be taken back by a crash.",
      "People notice lost work late, and blame the model.",
    ],
    rumour: "Agents never write at the same time.",
    headlines: { planner: "Working on the same page", researcher: "Who ate my change?" },
  },
  {
    key: "locks",
    title: "When to take a lock",
    text:
      "Most writes need no lock: they merge. Take one when you think for long about something that must not move meanwhile, and say what " +
      "for. Others see it, wait in line, and are refuesd if they write there anyway.",
    mistake: { old: "refuesd", new: "refused" },
    facts: [
      "A lease ends by itself when its holder is gone.",
      "Every lock has a number that grows, so that a holder who slept is found out.",
      "A lock on a path covers what lies below it.",
    ],
    rumour: "A lock that is only advice is enough.",
    headlines: { planner: "Locks that hold", researcher: "Please do not touch" },
  },
  {
    key: "conflicts",
    title: "When two are right",
    text:
      "Two writers set the same value without having seen each other. The merge keeps one, on every replica the same. The other one is not " +
      "thrown away: the server keeps both sides, says who lost, and somebody desides.",
    mistake: { old: "desides", new: "decides" },
    facts: [
      "A merge that converges is not yet a merge that is right.",
      "Most conflicts are about one value, and settled by a look at both.",
      "Text that two people type merges letter by letter.",
    ],
    rumour: "The one who writes last is right.",
    headlines: { planner: "Both sides of a conflict", researcher: "Nobody loses silently" },
  },
  {
    key: "past",
    title: "Every version is still there",
    text:
      "Each change has a number, an author and a reason. You can look at any version, ask who wrote a line, take back what one agent did " +
      "and keep the rest, or bring a part back as it was. That is a change too, and can be taken bakc.",
    mistake: { old: "bakc", new: "back" },
    facts: [
      "To undo one agent's work, its changes must be told apart from the others'.",
      "A restored part is written anew; nothing is cut out of the past.",
      "A version with a name is kept when older history is thinned.",
    ],
    rumour: "History is for people only.",
    headlines: { planner: "How agents share what they know", researcher: "A document that remembers" },
  },
];
