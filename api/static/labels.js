// Labels that come after their events.

import { html } from "./vendor/preact.js";
import { get, of } from "./api.js";
import { ago, count, duration } from "./format.js";
import { useAsked } from "./poll.js";
import { Facts, Section } from "./parts.js";

const COUNTS = {
  pending: "Wait for their label",
  matched: "Labels that met their event",
  expired: "Events let go unlabelled",
  late: "Refused: too late",
  unknown: "Refused: of no event that waits",
  duplicate: "Refused: the same again",
  conflict: "Refused: another than before",
};

export function Labels({ model, seen }) {
  const known = useAsked(() => get(of(model.name, "labels")), [seen]);
  const told = (labels) => [
    ...Object.entries(COUNTS).map(([name, shown]) => [shown, count(labels[name])]),
    ["The oldest that waits", labels.oldest_at ? ago(labels.oldest_at) : "none"],
  ];
  return html`
    <${Section} title="Labels that come late" known=${known}>
      ${known.value && html`
        <${Facts} of=${told(known.value)} />
        <h3>From event to label</h3>
        <${Facts} of=${Object.entries(known.value.delay).map(([share, seconds]) => [share, duration(seconds)])} />
      `}
    <//>
  `;
}
