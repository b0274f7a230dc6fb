// The versions that are kept, and what can be done with one.

import { html, useState } from "./vendor/preact.js";
import { get, of } from "./api.js";
import { at, bytes, count, signed } from "./format.js";
import { useAsked } from "./poll.js";
import { Order } from "./order.js";
import { Section, Table, Value } from "./parts.js";

const ORDERS = { rollback: "Roll back", pin: "Pin", tag: "Tag" };

export function Versions({ model, seen, mayOrder }) {
  const [order, setOrder] = useState(null);
  const [limit, setLimit] = useState(50);
  const known = useAsked(() => get(`${of(model.name, "versions")}?limit=${limit}`), [seen, limit]);
  const { items = [], damaged = [], next } = known.value || {};
  const score = Object.keys(model.metrics)[0];
  const columns = [
    ["Version", (version) => html`<${Name} version=${version} />`],
    ["made", (version) => at(version.created_at)],
    ["#learned", (version) => count(version.learned)],
    [`#${score}, rolling`, (version) => html`<${Value} of=${version.scores[score]?.rolling} />`],
    ["#change", (version) => html`<${Value} of=${version.scores[score]?.change} kind=${signed} />`],
    ["#size", (version) => html`<${Value} of=${version.bytes} kind=${bytes} />`],
  ];
  const buttons = ({ version }) => Object.entries(ORDERS).map(
    ([command, title]) => html`<button class="small" aria-label=${`${title} ${version}`} onClick=${() => setOrder({ command, to: version })}>${title}</button>`,
  );
  if (mayOrder) columns.push(["#orders", buttons]);
  return html`
    <${Section} title="Versions" note="newest first" known=${known}>
      ${damaged.map((each) => html`<p class="problem">${each.version}: ${each.problem}</p>`)}
      <${Table} label="Versions" items=${items} columns=${columns} />
      ${next && limit < 1000 && html`<button onClick=${() => setLimit(Math.min(1000, limit * 4))}>Show more</button>`}
      ${order && html`<${Order} model=${model} ...${order} onClose=${() => setOrder(null)} />`}
    <//>
  `;
}

const Name = ({ version }) => html`
  ${version.version} ${version.kind !== "commit" && html`<span class="chip plain">${version.kind}</span>`}
  ${version.serving && html`<span class="chip good">serving</span>`}
  ${version.pinned && html`<span class="chip">pinned</span>`}
  ${version.best && html`<span class="chip">best</span>`}
  ${version.tags.map((tag) => html`<span class="chip plain">${tag}</span>`)}
`;
