/** What an agent is told of the server when it connects, and the guide that it can read. */

/** Every host puts this into the model's context: five lines, no more. */
export const INSTRUCTIONS = `Shared live contexts: JSON documents that several agents and people read and edit at the same time.
Edits to different places merge; nothing is lost. Work like this:
1. context_find, then context_read with path and depth (do not read whole large documents).
2. Small edits: context_update with ops; add if_version when your edit depends on what you read.
3. Longer work on one part: context_lock its path, edit with lock_token, context_unlock.
4. To follow others: context_wait with the version you last saw.
5. Leave a short message on every update; context_history shows it to the others.`;

export const GUIDE = `# Working in shared contexts

${INSTRUCTIONS}

## Reading

- A path is a JSON Pointer: "/tasks/t1/title". "" is everything.
- Large data comes as an outline: marks such as "[object, 12 keys; read /tasks]" say where to read on.
- Every answer has the context's version. It counts changes; keep the last one you saw.

## Writing

- One context_update is all or nothing. Write the least that says it: set one member, do not replace the object around it.
- Prefer objects with ids as keys over arrays: several can then add and remove at the same time without moving each other's places.
- In a text use edit_text and append_text: others' edits in the same text survive. {"$text": "..."} as a value makes one.
- increment counts without reading first.
- if_version refuses your edit when somebody changed what it touches after that version. Read again, and decide anew.
- After a timeout repeat the call with the same idempotency_key: it is applied once.

## Locks

- A lock is for work that takes several steps: nobody else can write at its path, above or below it, until it ends.
- It ends by itself. Renew it with its lock_token, release it when you are done, and say your purpose: others see it.
- LOCKED says who holds it and why. Wait with wait_seconds, or do something else first.

## Following others

- context_wait returns when somebody else changed something, with what they changed. It costs one call, polling costs many.
- Without changes it returns after timeout_seconds. Then do something useful before you wait again.
`;
