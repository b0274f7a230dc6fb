// A line chart with marks, by uPlot: it draws on a canvas, so hostile names stay text.

import { html, useEffect, useRef } from "./vendor/preact.js";
import { score } from "./format.js";

const HEIGHT = 300;
const DASHES = { dashed: [7, 5], dotted: [2, 4] };

/** A colour of the style sheet, as it is in the reader's scheme. */
const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();

/**
 * The chart.
 *
 * @param xs Where the points stand, rising.
 * @param isTime Whether they are seconds since 1970.
 * @param lines [{name, values, colour, dash}] The dash: dashed or dotted.
 * @param marks [{x, colour}] Vertical lines.
 */
export function Chart({ label, xs, isTime, lines, marks }) {
  const place = useRef(null);
  const plot = useRef(null);
  const current = useRef(marks);
  current.current = marks;
  const shape = JSON.stringify([isTime, lines.map((line) => [line.name, line.colour])]);
  const data = [xs, ...lines.map((line) => line.values)];

  useEffect(() => {
    const make = () => {
      plot.current?.destroy();
      plot.current = new uPlot(options(place.current.clientWidth, isTime, lines, current), data, place.current);
    };
    make();
    const dark = matchMedia("(prefers-color-scheme: dark)");
    const resized = new ResizeObserver(() => plot.current.setSize({ width: place.current.clientWidth, height: HEIGHT }));
    resized.observe(place.current);
    dark.addEventListener("change", make);
    return () => {
      resized.disconnect();
      dark.removeEventListener("change", make);
      plot.current.destroy();
      plot.current = null;
    };
  }, [shape]);
  useEffect(() => {
    plot.current.setData(data);
  }, [JSON.stringify(data), JSON.stringify(marks)]);
  return html`<div class="chart" ref=${place} role="img" aria-label=${label}></div>`;
}

function options(width, isTime, lines, marks) {
  const axis = {
    stroke: colour("quiet"),
    grid: { stroke: colour("line"), width: 1 },
    ticks: { stroke: colour("line"), width: 1 },
    font: `12px ${getComputedStyle(document.body).fontFamily}`,
  };
  return {
    width,
    height: HEIGHT,
    scales: { x: { time: isTime } },
    series: [
      isTime ? { label: "Time" } : { label: "Events", value: (_, x) => (x === null ? "–" : x.toLocaleString("en")) },
      ...lines.map((line) => ({
        label: line.name,
        stroke: colour(line.colour),
        width: line.dash ? 1.5 : 2,
        dash: DASHES[line.dash],
        spanGaps: true,
        points: { show: line.values.length < 40 && !line.dash, size: 5 },
        value: (_, y) => score(y),
      })),
    ],
    axes: [{ ...axis, space: 90 }, { ...axis, size: 60 }],
    legend: { markers: { dash: (_, place) => lines[place - 1].dash || "solid" } },
    cursor: { drag: { x: true, y: false } },
    hooks: { drawClear: [(drawn) => drawMarks(drawn, marks.current)] },
  };
}

function drawMarks(drawn, marks) {
  const { ctx, bbox } = drawn;
  ctx.save();
  ctx.beginPath();
  ctx.rect(bbox.left, bbox.top, bbox.width, bbox.height);
  ctx.clip();
  ctx.lineWidth = 2 * devicePixelRatio;
  for (const mark of marks) {
    const x = Math.round(drawn.valToPos(mark.x, "x", true));
    ctx.strokeStyle = colour(mark.colour);
    ctx.setLineDash(mark.colour === "served" ? [4 * devicePixelRatio, 4 * devicePixelRatio] : []);
    ctx.beginPath();
    ctx.moveTo(x, bbox.top);
    ctx.lineTo(x, bbox.top + bbox.height);
    ctx.stroke();
  }
  ctx.restore();
}
