// Draws series of a device: those that a button of the page names, over the last hours or days, and on as the device is
// polled. Points come from /api/v1/history; where it gives a reason instead of a value the line has a gap.
"use strict";

(() => {
  const panel = document.getElementById("graph");
  if (!panel) return;
  const MAX_POINTS = 900;
  const MIN_SPAN_S = 120;
  const PREFIXES = ["", "k", "M", "G", "T", "P"];
  const BINARY = ["B", "KiB", "MiB", "GiB", "TiB", "PiB"];
  const REASONS = {
    discontinuity: "the counter began anew",
    reset: "the counter went back",
    too_fast: "the counter grew faster than it can",
    too_long: "too long since the reading before",
    no_samples: "no samples: polls were missed",
  };
  const device = panel.dataset.device;
  const intervalMs = Number(panel.dataset.intervalMs);
  const place = document.getElementById("chart");
  const title = document.getElementById("graph-title");
  const note = document.getElementById("graph-note");

  let what = null;
  let spanS = 3600;
  let plot = null;
  // By series: Map from milliseconds to [value, reason].
  let points = [];

  const color = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

  const digits = (value) => {
    const size = Math.abs(value);
    return size >= 99.95 || size === 0 ? value.toFixed(0) : size >= 9.995 ? value.toFixed(1) : value.toFixed(2);
  };

  const reduce = (value, base, steps) => {
    let step = 0;
    while (Math.abs(value) >= base * 0.9995 && step + 1 < steps) {
      value /= base;
      step += 1;
    }
    return [value, step];
  };

  const format = (value) => {
    if (what.unit === "B") {
      const [number, step] = reduce(value, 1024, BINARY.length);
      return `${digits(number)} ${BINARY[step]}`;
    }
    if (/^(bit\/s|\/s|W|Hz|V|A)/.test(what.unit)) {
      const [number, step] = reduce(value, 1000, PREFIXES.length);
      return `${digits(number)} ${PREFIXES[step]}${what.unit}`;
    }
    return `${Number(value.toPrecision(4))} ${what.unit}`.trim();
  };

  const stepMs = () => {
    const step = Math.ceil((spanS * 1000) / MAX_POINTS / 1000) * 1000;
    return step > intervalMs ? step : null;
  };

  const load = async (fromMs) => {
    const parameters = new URLSearchParams({ device, from: String(fromMs / 1000) });
    what.series.forEach((series) => parameters.append("series", series.select));
    if (stepMs()) parameters.set("step", String(stepMs() / 1000));
    const response = await fetch(`/api/v1/history?${parameters}`, { headers: { accept: "application/json" } });
    const answer = await response.json();
    if (!response.ok) throw new Error(`${answer.error}: ${answer.hint}`);
    return what.series.map((wanted) =>
      answer.series.find((series) => `${series.object}.${series.instance}` === wanted.select)?.points ?? []);
  };

  const data = () => {
    const times = [...new Set(points.flatMap((series) => [...series.keys()]))].sort((a, b) => a - b);
    const columns = points.map((series, i) => times.map((time) => {
      const point = series.get(time);
      // Nothing was said of this time: the line goes on from what was.
      if (!point) return undefined;
      return point[0] === null ? null : point[0] * what.series[i].times;
    }));
    return [times.map((time) => time / 1000), ...columns];
  };

  const show = () => {
    const all = data();
    panel.dataset.points = String(all[0].length);
    const values = all.slice(1).flat().filter((value) => typeof value === "number");
    note.textContent = all[0].length === 0
      ? "Nothing is stored of this time yet: the first rate is there after two polls."
      : values.length === 0 ? "No value in this time." : "";
    if (!plot) plot = new uPlot(options(), all, place);
    else plot.setData(all, false);
    plot.setScale("x", range());
    plot.setLegend({ idx: all[0].length - 1 });
  };

  // The whole span, or less as long as less is stored.
  const range = () => {
    const now = Date.now() / 1000;
    const first = plot.data[0][0] ?? now;
    return { min: Math.max(now - spanS, Math.min(first, now - MIN_SPAN_S)), max: now };
  };

  // The time of day; the date below the first tick and where it changes.
  const timeTicks = (_, ticks, __, ___, step) => {
    let before = "";
    return ticks.map((tick) => {
      const [date, time] = window.hamsaFullTime(tick * 1000).split(" ");
      const day = date === before ? "" : `\n${date}`;
      before = date;
      if (step >= 86400) return date;
      return (step < 60 ? time : time.slice(0, 5)) + day;
    });
  };

  const options = () => {
    const quiet = color("--quiet");
    const axis = { stroke: quiet, grid: { stroke: color("--grid"), width: 1 }, ticks: { stroke: color("--grid"), width: 1 } };
    const byReason = (plot, value, seriesIndex, index) => {
      if (typeof value === "number") return format(value);
      const time = index === null || index === undefined ? undefined : plot.data[0][index];
      const reason = time === undefined ? undefined : points[seriesIndex - 1]?.get(Math.round(time * 1000))?.[1];
      return reason ? REASONS[reason] ?? reason : "–";
    };
    return {
      width: place.clientWidth,
      height: 260,
      cursor: { points: { size: 7 }, drag: { x: false, y: false } },
      // Where no point is pointed at, the last one is told.
      hooks: { setCursor: [(plot) => plot.cursor.idx ?? plot.setLegend({ idx: plot.data[0].length - 1 })] },
      scales: { y: { range: (_, min, max) => [Math.min(0, min ?? 0), max > 0 ? max * 1.06 : 1] } },
      axes: [{ ...axis, space: 84, values: timeTicks }, { ...axis, size: 88, values: (_, ticks) => ticks.map((tick) => format(tick)) }],
      series: [
        { label: "Time", value: (_, s) => (typeof s === "number" ? window.hamsaFullTime(s * 1000) : "–") },
        ...what.series.map((series, i) => ({
          label: series.name,
          stroke: color(`--series-${i + 1}`),
          fill: i === 0 ? color("--series-1-fill") : undefined,
          width: 1.6,
          points: { show: (plot) => plot.data[0].length < 40, size: 4 },
          value: byReason,
        })),
      ],
    };
  };

  // What is being loaded last is what is shown.
  let turn = 0;
  const draw = async () => {
    const mine = ++turn;
    panel.hidden = false;
    title.textContent = what.title;
    try {
      const loaded = await load(Date.now() - spanS * 1000);
      if (mine !== turn) return;
      points = loaded.map((series) => new Map(series.map(([time, ...rest]) => [time, rest])));
      plot?.destroy();
      plot = null;
      show();
    } catch (error) {
      if (mine !== turn) return;
      plot?.destroy();
      plot = null;
      note.textContent = `The graph can't be drawn: ${error.message}`;
    }
  };

  const goOn = async () => {
    const mine = turn;
    const last = Math.max(0, ...points.flatMap((series) => [...series.keys()]));
    const oldest = Date.now() - spanS * 1000;
    try {
      // The last point may have been of a step that was not over.
      const loaded = await load(Math.max(oldest, last - (stepMs() ?? 0)));
      if (mine !== turn) return;
      loaded.forEach((series, i) => series.forEach(([time, ...rest]) => points[i].set(time, rest)));
      points.forEach((series) => [...series.keys()].forEach((time) => time < oldest && series.delete(time)));
      show();
    } catch {
      // The next poll tries again.
    }
  };

  const mark = () => {
    document.querySelectorAll("[data-graph]").forEach((button) => {
      const isShown = what !== null && button.dataset.graph === what.source;
      button.setAttribute("aria-pressed", String(isShown));
      button.closest("tr")?.setAttribute("aria-selected", String(isShown));
    });
  };

  const choose = (button) => {
    what = { ...JSON.parse(button.dataset.graph), source: button.dataset.graph };
    mark();
    return draw();
  };

  document.addEventListener("click", (event) => {
    const button = event.target.closest("[data-graph]");
    if (!button) return;
    history.replaceState(null, "", `#${JSON.parse(button.dataset.graph).series[0].select}`);
    choose(button);
    panel.scrollIntoView({ block: "nearest", behavior: "smooth" });
  });

  panel.querySelectorAll("[data-span-s]").forEach((button) => button.addEventListener("click", () => {
    spanS = Number(button.dataset.spanS);
    panel.querySelectorAll("[data-span-s]").forEach((other) => other.setAttribute("aria-pressed", String(other === button)));
    if (what) draw();
  }));

  // The graph that the address names, or else that of the busiest interface.
  const begin = () => {
    if (what) return;
    const buttons = [...document.querySelectorAll("[data-graph]")];
    const named = decodeURIComponent(location.hash.slice(1));
    const button = buttons.find((one) => JSON.parse(one.dataset.graph).series[0].select === named)
      ?? buttons.find((one) => one.hasAttribute("data-default"))
      ?? buttons[0];
    if (button) choose(button);
  };

  document.addEventListener("hamsa:refreshed", () => {
    begin();
    mark();
  });
  document.addEventListener("hamsa:polled", (event) => {
    if (what && event.detail.device === device && !document.hidden) goOn();
  });
  document.addEventListener("visibilitychange", () => {
    if (!document.hidden && what) goOn();
  });
  setInterval(() => {
    if (plot && !document.hidden) plot.setScale("x", range());
  }, 5000);
  new ResizeObserver(() => plot?.setSize({ width: place.clientWidth, height: 260 })).observe(place);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
    if (!what) return;
    plot?.destroy();
    plot = null;
    show();
  });
  begin();
})();
