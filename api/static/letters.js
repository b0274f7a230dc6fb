// What was refused, by reason; the records themselves, byte for byte.

import { html, useState } from "./vendor/preact.js";
import { get, of } from "./api.js";
import { at, bytes, count } from "./format.js";
import { useAsked } from "./poll.js";
import { Section } from "./parts.js";

export function Letters({ model, seen }) {
  const [reason, setReason] = useState(""); // of all
  const query = `limit=20${reason ? `&reason=${encodeURIComponent(reason)}` : ""}`;
  const known = useAsked(() => get(`${of(model.name, "dead-letters")}?${query}`), [reason, seen]);
  const reasons = Object.entries(model.refused_by).sort((one, other) => other[1] - one[1]);
  const found = known.value?.items || [];
  return html`
    <${Section} title="Refused" note=${`${count(model.refused)} records`}>
      <ul>
        ${reasons.map(
          ([name, n]) => html`<li>
            <button class="bar" aria-pressed=${reason === name} onClick=${() => setReason(reason === name ? "" : name)}>
              <span>${name}</span><meter max=${reasons[0][1]} value=${n}></meter><span class="number">${count(n)}</span>
            </button>
          </li>`,
        )}
      </ul>
    <//>
    <${Section} title=${reason ? `The last for ${reason}` : "The last ones"} known=${known}>
      ${!found.length && html`<p class="quiet">None among the last 1,000 of each partition.</p>`}
      ${found.map((letter) => html`<${Letter} key=${`${letter.id} ${letter.reason}`} letter=${letter} />`)}
    <//>
  `;
}

const Letter = ({ letter }) => html`
  <article class="letter">
    <h3><span class="chip bad">${letter.reason}</span> ${letter.detail}</h3>
    <p class="quiet">${letter.id} · refused at ${letter.stage} · ${at(letter.at)} · ${bytes(letter.size)}${letter.key !== null && ` · key ${letter.key}`}</p>
    <pre tabindex="0">${letter.value}</pre>
    <p class="quiet">${letter.encoding === "base64" && "No text: in base64. "}${letter.size > 1024 && "The first KiB."}</p>
  </article>
`;
