/** Metrics of webhooks: which targets do not take what they are sent, and how much waits for them. */
import { WEBHOOK_STATES } from "../../../shared/webhook.ts";
import type { Families } from "./families.ts";
import type { MetricParts } from "./metric-parts.ts";

export function describeWebhooks(families: Families, { census }: MetricParts): void {
  families.gauges(
    {
      name: "mcm_webhooks",
      what: "Webhooks by state.",
      bad: "Targets of retrying ones take nothing at the moment; stopped ones were tried for a day and wait for somebody.",
    },
    ["state"],
    () => {
      const { byState } = census().webhooks;
      return WEBHOOK_STATES.map((state) => ({ labels: { state }, value: byState[state] }));
    },
  );
  families.gauge(
    {
      name: "mcm_webhook_contexts_behind",
      what: "Contexts with changes that a target was not told of yet, counted for each webhook that is not paused or stopped.",
      bad: "One that stays high is a target that is slower than the writers; up to 2000 of each webhook are known.",
    },
    () => census().webhooks.behind,
  );
  families.gauge(
    {
      name: "mcm_webhook_dead_letters",
      what: "Deliveries that their targets refused until they were given up.",
      bad: "Any: these changes were told to nobody. Mend the target and redeliver them.",
    },
    () => census().webhooks.deadLetters,
  );
}
