// Asks again and again while somebody looks. A stream would hold on to a worker of the API that is
// about to be replaced by the next version's; a question every two seconds holds on to nothing.

import { useEffect, useRef, useState } from "./vendor/preact.js";

const HIDDEN_MS = 15000;
const FAILED_MS = 3000;
const SELDOM_MS = 10000;

/**
 * The newest answer of `ask`, and the problem of the last attempt; the answer before it stays meanwhile.
 *
 * @param ask Called when one of the keys changes, and again after a problem; null: nothing is asked.
 * @param everyMs Called again after so long; 0: it is not.
 * @param afterMs Called so long after the change.
 */
export function useAsked(ask, keys, everyMs = 0, afterMs = 0) {
  const [known, setKnown] = useState({});
  useEffect(() => {
    let isOver = !ask;
    let timer = 0;
    const wait = (ms) => (timer = setTimeout(turn, ms && document.hidden ? HIDDEN_MS : ms));
    const turn = async () => {
      clearTimeout(timer);
      const found = await ask().then((value) => ({ value, problem: null }), (problem) => ({ problem }));
      if (isOver) return;
      setKnown((last) => ({ ...last, ...found }));
      const next = found.problem ? FAILED_MS : everyMs;
      if (next) wait(next);
    };
    const again = () => document.hidden || isOver || turn();
    const told = everyMs ? ["visibilitychange", "ordered"] : []; // an order is seen at once
    for (const event of told) document.addEventListener(event, again);
    if (ask) wait(afterMs);
    return () => {
      isOver = true;
      clearTimeout(timer);
      for (const event of told) document.removeEventListener(event, again);
    };
  }, keys);
  return known;
}

/** The value as it was when the key changed, or ten seconds ago: a version may be made every second. */
export function useSeldom(value, key) {
  const kept = useRef({});
  if (kept.current.key !== key || Date.now() - kept.current.at > SELDOM_MS) kept.current = { value, key, at: Date.now() };
  return kept.current.value;
}
