// An order: what it would do, asked of the API first; then, with a reason, the order itself.

import { html, useEffect, useRef, useState } from "./vendor/preact.js";
import { dryRun, of, post, requestId } from "./api.js";
import { at, duration, many } from "./format.js";
import { useAsked } from "./poll.js";
import { Failed, Table, Value } from "./parts.js";

// Of each: what its button says, what it means, and how it is undone; # is the version before.
const ABOUT = {
  rollback: ["Roll back", "Serves the version at once, and learns on from it.", "roll back to #"],
  pin: ["Pin", "Serves it until unpinned; learning goes on beside it.", "unpin"],
  unpin: ["Unpin", "Serves the newest version again.", "pin # again"],
  freeze: ["Freeze", "Stops learning; answers go on.", "thaw"],
  thaw: ["Thaw", "Learns on where it was frozen.", "freeze"],
  tag: ["Tag", "Gives the version a name, which also keeps it.", "tag another version"],
  cancel: ["Cancel going back", "Ends the rewind; the head stays as it was.", "roll back again"],
  release: ["Serve it all the same", "Serves what the publish gate holds back.", "pin #"],
};

/**
 * The dialog.
 *
 * @param command Which order.
 * @param to The version that it is about, where it is about one.
 */
export function Order({ model, command, to, onClose }) {
  const box = useRef(null);
  // What it is decided upon: another command in between, and this one is refused.
  const [expect] = useState(model.version);
  const [fields, setFields] = useState(command === "rollback" ? { mode: "forget" } : {});
  const [reason, setReason] = useState("");
  const [outcome, setOutcome] = useState({}); // its answer or its problem, and whether it is under way
  const [id, setId] = useState("");
  const body = { to, ...sent(fields), expect: command === "tag" ? undefined : expect };
  const isWhole = command !== "tag" || Boolean(fields.tag);
  const asked = JSON.stringify(body);
  const tried = () => dryRun(model.name, command, body).then((would) => ({ asked, would }));
  const known = useAsked(isWhole && tried, [asked], 0, 150);
  const would = known.value?.asked === asked && known.value.would;
  useEffect(() => setId(requestId()), [asked, reason]);
  useEffect(() => box.current.showModal(), []);

  const give = async (event) => {
    event.preventDefault();
    setOutcome({ isBusy: true });
    const given = post(of(model.name, command), { ...body, reason }, { "idempotency-key": id });
    setOutcome(await given.then((answer) => ({ answer }), (problem) => ({ problem })));
    document.dispatchEvent(new Event("ordered"));
  };
  const close = () => box.current.close();
  const [name, means, undone] = ABOUT[command];
  const title = [name, command === "rollback" && "to", to].filter(Boolean).join(" ");
  return html`
    <dialog ref=${box} onClose=${onClose} aria-labelledby="order-title">
      <h2 id="order-title">${title}</h2>
      ${outcome.answer
        ? html`
            <p class="done" role="status">In force: ${effect(outcome.answer)}</p>
            ${outcome.answer.changed && !outcome.answer.unreadable && html`<p>To undo it, ${undone.replace("#", outcome.answer.from)}.</p>`}
            <button class="main" onClick=${close} autofocus>Close</button>
          `
        : html`
            <form onSubmit=${give}>
              <p>${means}</p>
              <${Fields} command=${command} fields=${fields} onChange=${setFields} />
              <${Would} answer=${would} problem=${known.problem} keeps=${body.keep_serving} />
              <label for="reason">Reason</label>
              <input id="reason" required maxlength="500" autocomplete="off" value=${reason} placeholder="goes to the audit"
                onInput=${(event) => setReason(event.target.value)} />
              <${Failed} problem=${outcome.problem} />
              <div class="buttons">
                <button class="main" disabled=${outcome.isBusy || !reason.trim() || !would}>
                  ${outcome.isBusy ? "Waiting until it is in force…" : title}
                </button>
                <button type="button" onClick=${close}>Leave it</button>
              </div>
            </form>
          `}
    </dialog>
  `;
}

/** The fields as the API takes them: lines of what to leave out, and nothing that is empty. */
function sent({ mode, tag, skip = "", keep }) {
  const lines = skip.split("\n").map((line) => line.trim()).filter(Boolean);
  const isRewind = mode === "rewind";
  return { mode, tag, skip: isRewind && lines.length ? lines : undefined, keep_serving: isRewind && keep ? true : undefined };
}

function Fields({ command, fields, onChange }) {
  const set = (name) => (event) => onChange({ ...fields, [name]: event.target.value });
  const mode = (value, means) => html`
    <label class="option"><input type="radio" name="mode" value=${value} checked=${fields.mode === value} onChange=${set("mode")} /> ${means}</label>
  `;
  if (command === "tag") {
    return html`
      <label for="tag">Name</label>
      <input id="tag" required autocomplete="off" value=${fields.tag || ""} placeholder="stable" onInput=${set("tag")} />
    `;
  }
  if (command !== "rollback") return null;
  return html`
    <fieldset>
      <legend>What came after it</legend>
      ${mode("forget", "Forget it: learn on from the newest record")}
      ${mode("rewind", "Rewind: learn it again, without what spoilt it")}
    </fieldset>
    ${fields.mode === "rewind" &&
    html`
      <label for="skip">Leave out, one a line</label>
      <textarea id="skip" rows="3" value=${fields.skip || ""} onInput=${set("skip")}
        placeholder=${"0:1200-1350\nsource:sensor-7\ntime:2026-11-20T12:00:00Z/2026-11-20T13:00:00Z"}></textarea>
      <label class="option"><input type="checkbox" checked=${fields.keep} onChange=${(event) => onChange({ ...fields, keep: event.target.checked })} />
        Go on serving the newest version until then</label>
    `}
  `;
}

const Would = ({ answer, problem, keeps }) => html`
  <div class="would" aria-live="polite">
    <${Failed} problem=${problem} />
    ${answer ? html`<p><strong>If ordered:</strong> ${effect(answer, keeps)}</p>` : !problem && "What would it do? …"}
    ${answer?.would && html`<${GoingBack} would=${answer.would} />`}
  </div>
`;

const GoingBack = ({ would }) => html`
  <p>
    It undoes ${many(would.versions, "version")}, made from ${at(would.since)} to ${at(would.until)}: ${would.is_at_most && "at most "}
    ${many(would.records, "record")}${would.seconds > 0 && `, learned again in about ${duration(would.seconds)}`}.
  </p>
  <${Table} label="Scores then and now" items=${Object.entries(would.scores)} columns=${[
    ["Score", ([name]) => name],
    ["#then", ([, score]) => html`<${Value} of=${score.then} />`],
    ["#now", ([, score]) => html`<${Value} of=${score.now} />`],
  ]} />
`;

/** What an answer says, in words. */
function effect({ command, changed, to, dry_run: isDry, ...answer }, keeps) {
  if (!changed) return "nothing changes, it stands already.";
  const served = isDry && !keeps ? to : answer.serving;
  const is = isDry ? "would be" : "is";
  const events = (n, what) => n && `${many(n, "learned event")} ${isDry || n === 1 ? is : "are"} ${what}`;
  const does = { freeze: "learning stops", thaw: "learning goes on", tag: `${to} is called ${answer.tag}` }[command];
  return `${[
    does || `${served} ${is} served${answer.version ? `, the model of ${to}` : ""}`,
    events(answer.forgotten, answer.mode === "rewind" ? "left out" : "forgotten"),
    events(answer.replayed, "replayed"),
    answer.unpinned && `the pin on ${answer.unpinned} ${is} removed`,
  ].filter(Boolean).join("; ")}.`;
}
