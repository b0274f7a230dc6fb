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
  const [answer, setAnswer] = useState(null);
  const [problem, setProblem] = useState(null);
  const features = known.value ? known.value.items.slice(0, SHOWN) : [];
  useEffect(() => {
    if (known.value && !texts) setTexts(Object.fromEntries(features.map((each) => [each.name, written(each.example)])));
  }, [known.value]);
  const given = texts ? valuesOf(features, texts) : {};
  const ask = async (event) => {
    event.preventDefault();
    setProblem(null);
    try {
      setAnswer(await answered(model.name, given));
    } catch (error) {
      setAnswer(null);
      setProblem(error);
    }
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
        <${Failed} problem=${problem} />
        ${answer && html`<${Answer} answer=${answer} />`}
        <h3>The same from a shell</h3>
        <pre class="command" tabindex="0">${curl(model.name, given)}</pre>
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

const written = (value) => (value === null || value === undefined ? "" : String(value));

/** The features as the model takes them; an empty field is absent. */
function valuesOf(features, texts) {
  const read = { bool: (text) => text === "true", text: (text) => text, int: Number, number: Number };
  const given = Object.create(null); // a feature may be called __proto__
  for (const { name, path, type } of features.filter((each) => texts[each.name] !== "")) {
    const group = path.slice(0, -1).reduce((outer, step) => (outer[step] ??= Object.create(null)), given);
    group[path.at(-1)] = read[type](texts[name]);
  }
  return given;
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
  const items = [...explanation.contributions].sort((one, other) => Math.abs(other.contribution) - Math.abs(one.contribution));
  const most = Math.max(...items.map((each) => Math.abs(each.contribution)), 0) || 1;
  return html`
    <h3>Why</h3>
    <p class="quiet">${explanation.exact ? "Exact" : `By ${explanation.method}`}, in ${String(explanation.scale).replace("_", " ")}: from ${score(explanation.base)} to ${score(explanation.sum)}.</p>
    <${Table} label="Reasons" items=${items} columns=${[
      ["Feature", (each) => each.feature],
      ["value", (each) => written(each.value)],
      ["", (each) => html`<meter class=${each.contribution < 0 ? "less" : ""} max=${most} value=${Math.abs(each.contribution)}></meter>`],
      ["#adds", (each) => html`<${Value} of=${each.contribution} kind=${signed} />`],
    ]} />
  `;
}

/** For a shell: in single quotes, in which nothing is special but the quote itself. */
const quoted = (text) => `'${text.replaceAll("'", "'\\''")}'`;

function curl(model, features) {
  const body = quoted(JSON.stringify({ features }));
  return `curl ${quoted(location.origin + of(model, "predict"))} -H 'content-type: application/json' -d ${body}`;
}
