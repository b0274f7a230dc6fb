// A question to the model, made of its features, and the same as a command.

import { html, useEffect, useState } from "./vendor/preact.js";
import { get, of, post } from "./api.js";
import { score, signed } from "./format.js";
import { useAsked } from "./poll.js";
import { Failed, Section, Table, Value } from "./parts.js";

const SHOWN = 60;

export function TryOut({ model }) {
  const known = useAsked(() => get(of(model.name, "features")), [model.name]);
  const [texts, setTexts] = useState(null); // by name, as they are written in the form
  const [outcome, setOutcome] = useState({}); // what was asked, and the answer or the problem
  const features = (known.value?.items || []).slice(0, SHOWN);
  useEffect(() => {
    if (known.value && !texts) setTexts(Object.fromEntries(features.map((each) => [each.name, written(each.example)])));
  }, [known.value]);
  const given = texts ? valuesOf(features, texts) : {};
  const asked = JSON.stringify(given);
  const ask = async (event) => {
    event.preventDefault();
    setOutcome(await answered(model.name, given).then((answer) => ({ asked, answer }), (problem) => ({ asked, problem })));
  };
  return html`
    <${Section} title="Try it" note="filled in with what was learned last" known=${known}>
      ${!features.length && html`<p class="quiet">The model has learned no named features yet.</p>`}
      ${known.value && known.value.total > SHOWN && html`<p class="quiet">The first ${SHOWN} of ${known.value.total} features.</p>`}
      ${texts && html`
        <form onSubmit=${ask}>
          <div class="fields">
            ${features.map((each) => html`<${Field} key=${each.name} feature=${each} text=${texts[each.name]} onText=${(text) => setTexts({ ...texts, [each.name]: text })} />`)}
          </div>
          <div class="buttons"><button class="main">Ask</button></div>
        </form>
        ${outcome.asked === asked && html`
          <${Failed} problem=${outcome.problem} />
          ${outcome.answer && html`<${Answer} answer=${outcome.answer} />`}
        `}
        <h3>The same from a shell</h3>
        <pre class="command" tabindex="0">${curl(model.name, asked)}</pre>
      `}
    <//>
  `;
}

/** The prediction, with its reasons where this release gives any. */
async function answered(model, features) {
  try {
    return await post(of(model, "explain"), { features });
  } catch (problem) {
    const answer = await post(of(model, "predict"), { features });
    return problem.status === 404 ? answer : { ...answer, unexplained: problem };
  }
}

function Field({ feature, text, onText }) {
  const id = `feature ${feature.name}`;
  const bounds = [feature.min !== null && `from ${feature.min}`, feature.max !== null && `to ${feature.max}`].filter(Boolean).join(" ");
  const input = feature.type === "bool"
    ? html`<select id=${id} value=${text} onChange=${(event) => onText(event.target.value)}>
        <option value="">absent</option><option value="true">true</option><option value="false">false</option>
      </select>`
    : html`<input id=${id} value=${text} placeholder="absent" autocomplete="off"
        type=${feature.type === "text" ? "text" : "number"} step=${feature.type === "int" ? 1 : "any"}
        min=${feature.min} max=${feature.max} onInput=${(event) => onText(event.target.value)} />`;
  return html`<div><label for=${id}>${feature.name}<span class="note">${bounds}</span></label>${input}</div>`;
}

const written = (value) => String(value ?? "");

/** The features as the model takes them, some nested; an empty field is absent. */
function valuesOf(features, texts) {
  const read = { bool: (text) => text === "true", text: String, int: Number, number: Number };
  const values = new Map();
  for (const { name, type, path: [outer, inner] } of features.filter((each) => texts[each.name] !== "")) {
    const value = read[type](texts[name]);
    values.set(outer, inner === undefined ? value : { ...values.get(outer), [inner]: value });
  }
  return Object.fromEntries(values);
}

function Answer({ answer }) {
  const shares = Object.entries(answer.probabilities || {});
  return html`
    <div class="answer" role="status">
      <p class="prediction"><span class="quiet">Prediction</span> <strong>${answer.prediction === null ? "none" : String(answer.prediction)}</strong>
        <span class="quiet"> by ${answer.version}, which had learned ${answer.learned}</span></p>
      ${answer.reason && html`<p class="problem">It is null: ${answer.reason}.</p>`}
      ${shares.length > 0 && html`<${Table} label="Probabilities" items=${shares} columns=${[
        ["Label", ([label]) => label],
        ["", ([, share]) => html`<meter value=${share ?? 0}></meter>`],
        ["#probability", ([, share]) => html`<${Value} of=${share} />`],
      ]} />`}
      ${answer.unknown_features && html`<p class="advice">Never learned: ${answer.unknown_features.join(", ")}</p>`}
      <${Failed} problem=${answer.unexplained} />
      ${answer.explanation && html`<${Reasons} explanation=${answer.explanation} />`}
    </div>
  `;
}

/** What each feature added, the greatest first. */
function Reasons({ explanation }) {
  const size = (each) => Math.abs(each.contribution);
  const items = explanation.contributions.toSorted((one, other) => size(other) - size(one));
  const most = Math.max(...items.map(size), 0) || 1;
  return html`
    <h3>Why</h3>
    <p class="quiet">${explanation.exact ? "Exact" : `By ${explanation.method}`}, in ${explanation.scale.replace("_", " ")}${"class" in explanation && ` of ${explanation.class}`}: from ${score(explanation.base)} to ${score(explanation.sum)}.</p>
    <${Table} label="Reasons" items=${items} columns=${[
      ["Feature", (each) => each.feature],
      ["value", (each) => html`<span class="text">${written(each.value)}</span>`],
      ["", (each) => html`<meter class=${each.contribution < 0 ? "less" : ""} max=${most} value=${size(each)}></meter>`],
      ["#adds", (each) => html`<${Value} of=${each.contribution} kind=${signed} />`],
    ]} />
  `;
}

/** For a shell: in single quotes, in which nothing is special but the quote itself. */
const quoted = (text) => `'${text.replaceAll("'", "'\\''")}'`;

function curl(model, asked) {
  const body = quoted(`{"features":${asked}}`);
  return `curl ${quoted(location.origin + of(model, "predict"))} -H 'content-type: application/json' -d ${body}`;
}
