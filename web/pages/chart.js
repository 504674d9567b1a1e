// A line graph on a canvas: axes, series as lines, the values under the pointer.

// Colours that are told apart with the common kinds of colour blindness (after Okabe and Ito), for both grounds.
const COLOURS = ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#b58900", "#56b4e9", "#7f5fc4", "#8c564b", "#6b8e23", "#708090"];
export const colour = (index) => COLOURS[index % COLOURS.length];

const MARGIN = { left: 62, right: 12, top: 10, bottom: 26 };
const TIME_STEPS = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10800, 21600, 43200, 86400,
  172800, 604800, 1209600, 2592000, 7776000, 31536000];

// Steps of 1, 2 or 5 times a power of ten.
function niceStep(span, count) {
  const rough = span / count;
  const power = 10 ** Math.floor(Math.log10(rough));
  return power * [1, 2, 5, 10].find((factor) => factor * power >= rough * 0.999);
}

export function shortNumber(value) {
  if (!Number.isFinite(value)) return String(value);
  const size = Math.abs(value);
  if (size === 0) return "0";
  if (size < 1e-3 || size >= 1e15) return value.toExponential(2);
  for (const [unit, factor] of [["T", 1e12], ["G", 1e9], ["M", 1e6], ["k", 1e3]]) {
    if (size >= factor) return +(value / factor).toPrecision(4) + unit;
  }
  return String(+value.toPrecision(4));
}

function timeLabel(time, step) {
  const date = new Date(time * 1000);
  const two = (n) => String(n).padStart(2, "0");
  if (step >= 86400) return date.getFullYear() + "-" + two(date.getMonth() + 1) + "-" + two(date.getDate());
  const clock = two(date.getHours()) + ":" + two(date.getMinutes());
  if (step < 60) return clock + ":" + two(date.getSeconds());
  return date.getHours() || date.getMinutes() ? clock : two(date.getMonth() + 1) + "-" + two(date.getDate());
}

// series: [{name, points: [[seconds, number]...], hidden}]; range: {start, end, step} in seconds.
export class Chart {
  constructor(canvas, hover) {
    this.canvas = canvas;
    this.hover = hover;
    this.series = [];
    this.range = { start: 0, end: 1, step: 1 };
    new ResizeObserver(() => this.draw()).observe(canvas);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.draw());
    canvas.addEventListener("pointermove", (event) => this.point(event));
    canvas.addEventListener("pointerleave", () => { this.hover.classList.add("hidden"); this.draw(); });
  }

  show(series, range) {
    this.series = series;
    this.range = range;
    this.hover.classList.add("hidden");
    this.draw();
  }

  // Lowest and highest value shown, with some air.
  bounds() {
    let low = Infinity;
    let high = -Infinity;
    for (const { points, hidden } of this.series) {
      if (hidden) continue;
      for (const [, value] of points) {
        if (!Number.isFinite(value)) continue;
        low = Math.min(low, value);
        high = Math.max(high, value);
      }
    }
    if (low > high) return [0, 1];
    if (low === high) return low === 0 ? [-1, 1] : [low - Math.abs(low) * 0.1, high + Math.abs(high) * 0.1];
    const air = (high - low) * 0.05;
    return [low >= 0 && low < (high - low) / 2 ? 0 : low - air, high + air];
  }

  draw() {
    const { clientWidth: width, clientHeight: height } = this.canvas;
    if (!width) return;
    const ratio = devicePixelRatio || 1;
    this.canvas.width = width * ratio;
    this.canvas.height = height * ratio;
    const pen = this.canvas.getContext("2d");
    pen.scale(ratio, ratio);
    if (!this.series.length) return;
    const style = getComputedStyle(document.documentElement);
    this.ink = { grid: style.getPropertyValue("--grid"), quiet: style.getPropertyValue("--quiet") };
    const [low, high] = this.bounds();
    const { start, end } = this.range;
    const span = Math.max(end - start, 1);
    this.x = (time) => MARGIN.left + ((time - start) / span) * (width - MARGIN.left - MARGIN.right);
    this.y = (value) => height - MARGIN.bottom - ((value - low) / (high - low)) * (height - MARGIN.top - MARGIN.bottom);
    this.drawAxes(pen, width, height, low, high);
    this.series.forEach((one, index) => one.hidden || this.drawLine(pen, one.points, colour(index)));
  }

  drawAxes(pen, width, height, low, high) {
    pen.font = "12px system-ui, sans-serif";
    pen.fillStyle = this.ink.quiet;
    pen.strokeStyle = this.ink.grid;
    pen.lineWidth = 1;
    pen.textBaseline = "middle";
    pen.textAlign = "right";
    const step = niceStep(high - low, Math.max(2, height / 45));
    for (let i = Math.ceil(low / step); i * step <= high; ++i) {
      const y = Math.round(this.y(i * step)) + 0.5;
      this.stroke(pen, [[MARGIN.left, y], [width - MARGIN.right, y]]);
      pen.fillText(shortNumber(+(i * step).toPrecision(12)), MARGIN.left - 8, y);
    }
    pen.textBaseline = "top";
    pen.textAlign = "center";
    const { start, end } = this.range;
    const rough = (end - start) / Math.max(2, width / 110);
    const timeStep = TIME_STEPS.find((candidate) => candidate >= rough) || rough;
    // Marks at round local times.
    const zone = new Date(start * 1000).getTimezoneOffset() * 60;
    for (let time = Math.ceil((start - zone) / timeStep) * timeStep + zone; time <= end; time += timeStep) {
      const x = Math.round(this.x(time)) + 0.5;
      this.stroke(pen, [[x, MARGIN.top], [x, height - MARGIN.bottom]]);
      pen.fillText(timeLabel(time, timeStep), Math.min(Math.max(x, 20), width - 24), height - MARGIN.bottom + 7);
    }
  }

  stroke(pen, corners) {
    pen.beginPath();
    for (const [x, y] of corners) pen.lineTo(x, y);
    pen.stroke();
  }

  // A gap of more than a step breaks the line; a point between two gaps is a dot.
  drawLine(pen, points, ink) {
    pen.strokeStyle = pen.fillStyle = ink;
    pen.lineWidth = 1.6;
    pen.lineJoin = "round";
    let run = [];
    const finish = () => {
      if (run.length === 1) { pen.beginPath(); pen.arc(...run[0], 2, 0, 7); pen.fill(); }
      else if (run.length) this.stroke(pen, run);
      run = [];
    };
    let last = -Infinity;
    for (const [time, value] of points) {
      if (time - last > this.range.step * 1.5 || !Number.isFinite(value)) finish();
      last = time;
      if (Number.isFinite(value)) run.push([this.x(time), this.y(value)]);
    }
    finish();
  }

  point(event) {
    const box = this.canvas.getBoundingClientRect();
    const [x, y] = [event.clientX - box.left, event.clientY - box.top];
    if (!this.series.length) return;
    const { start, end, step } = this.range;
    const asked = start + ((x - MARGIN.left) / (box.width - MARGIN.left - MARGIN.right)) * (end - start);
    const time = start + Math.round((asked - start) / step) * step;
    let nearest = null;
    this.series.forEach((one, index) => {
      if (one.hidden) return;
      const found = one.points.find(([t]) => Math.abs(t - time) < step / 2);
      if (!found || !Number.isFinite(found[1])) return;
      const distance = Math.abs(this.y(found[1]) - y);
      if (!nearest || distance < nearest.distance) nearest = { distance, index, value: found[1], time: found[0], one };
    });
    this.draw();
    this.hover.classList.toggle("hidden", !nearest);
    if (nearest) this.mark(nearest, box.width);
  }

  mark({ time, value, index, one }, width) {
    const pen = this.canvas.getContext("2d");
    const x = this.x(time);
    pen.strokeStyle = this.ink.quiet;
    pen.lineWidth = 1;
    this.stroke(pen, [[x, MARGIN.top], [x, this.canvas.clientHeight - MARGIN.bottom]]);
    pen.fillStyle = colour(index);
    pen.beginPath();
    pen.arc(x, this.y(value), 4, 0, 7);
    pen.fill();
    const strong = document.createElement("strong");
    strong.textContent = String(value);
    this.hover.replaceChildren(strong, " at " + new Date(time * 1000).toLocaleString(),
      document.createElement("br"), one.name);
    const room = this.hover.offsetWidth;
    this.hover.style.left = Math.max(4, x + room + 24 > width ? x - room - 12 : x + 12) + "px";
    this.hover.style.top = "16px";
  }
}
