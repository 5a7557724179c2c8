/**
 * How rights are broken for planted.ts: methods that do what they should, but for one mistake.
 */
import type { AccessDesk } from "../../../server/state/access/access-desk.ts";
import type { Access } from "../../../server/state/access/access-policy.ts";

type CheckWrite = Access["checkWrite"];

export function trustingReaders(checkWrite: CheckWrite): CheckWrite {
  return function trusting(this: Access, paths) {
    if (this.mayWrite) checkWrite.call(this, paths);
  };
}

type Judge = AccessDesk["checkWrite"];

export function sparingEdits(checkWrite: Judge): Judge {
  return function sparing(this: AccessDesk, paths, write) {
    if (!("kind" in write) || write.kind !== "update") checkWrite.call(this, paths, write);
  };
}

type MayWriteAt = Access["mayWriteAt"];

export function forgettingPlaces(_mayWriteAt: MayWriteAt): MayWriteAt {
  return function forgetting(this: Access) {
    return this.mayWrite;
  };
}

type Apply = AccessDesk["apply"];

export function forgettingWritersAtPlaces(apply: Apply): Apply {
  return function forgetting(this: AccessDesk, { acl }) {
    apply.call(this, { acl: { ...acl, grants: acl.grants.filter(({ paths }) => paths === undefined) } });
  };
}
