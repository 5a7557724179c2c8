/** An AccessAudit that keeps what it is told. */
import { AccessAudit } from "../../server/context/access-audit.ts";
import { RefusalRing } from "../../server/context/refusal-ring.ts";
import type { AuditEvent } from "../../shared/audit.ts";
import { ManualClock } from "./manual-clock.ts";

export class RecordingAudit extends AccessAudit {
  readonly events: AuditEvent[];

  constructor() {
    const events: AuditEvent[] = [];
    super({ record: (event) => void events.push(event) }, new RefusalRing(new ManualClock()));
    this.events = events;
  }
}
