/** A Gate that bounds nothing unless told to, and keeps what it records. */
import type { AuditEvent } from "../../shared/audit.ts";
import { systemClock } from "../../server/clock.ts";
import { RateLimiter, UNLIMITED } from "../../server/security/rate-limiter.ts";
import { Gate } from "../../server/transport/gate.ts";
import type { GateOptions } from "../../server/transport/gate.ts";
import { peerAddresses } from "../../server/transport/peer-address.ts";

export interface RecordingGate {
  readonly gate: Gate;
  readonly recorded: AuditEvent[];
}

export function openGate(more: Partial<GateOptions> = {}): RecordingGate {
  const recorded: AuditEvent[] = [];
  const gate = new Gate({
    clock: systemClock,
    audit: { record: (event) => recorded.push(event) },
    limiter: new RateLimiter(UNLIMITED),
    peers: peerAddresses([]),
    allowedHosts: ["mcm.test"],
    allowedOrigins: [],
    ...more,
  });
  return { gate, recorded };
}
