/** An AccessAudit that keeps what it is told. */
import { AccessAudit } from "../../server/context/access-audit.ts";
import type { AuditEvent } from "../../shared/audit.ts";

export class RecordingAudit extends AccessAudit {
  readonly events: AuditEvent[];

  constructor() {
    const events: AuditEvent[] = [];
    super({ record: (event) => void events.push(event) });
    this.events = events;
  }
}
