// Keeps a page current. The server tells on a stream what has happened; the page asks for itself anew, and takes over
// the parts marked data-live whose markup has changed. In tables, rows are told apart by data-key, and only cells that
// differ are exchanged, so that what is focused or selected stays.
"use strict";

(() => {
  const FALLBACK_MS = 15000;
  const link = document.getElementById("link");
  const query = document.body.dataset.stream;
  // What the server sent for each row and region: what the page shows is changed by scripts.
  const sent = new WeakMap();

  const remember = (root) => {
    root.querySelectorAll("[data-live]").forEach((region) => sent.set(region, region.innerHTML));
    root.querySelectorAll("[data-rows] > [data-key]").forEach((row) => sent.set(row, row.outerHTML));
  };

  const takeCells = (row, fresh) => {
    if (row.children.length !== fresh.children.length) {
      row.replaceChildren(...fresh.childNodes);
      return;
    }
    [...fresh.children].forEach((cell, i) => {
      const old = row.children[i];
      if (sent.get(old) !== cell.outerHTML) old.replaceWith(cell);
    });
  };

  const rememberCells = (row) => [...row.children].forEach((cell) => sent.set(cell, cell.outerHTML));

  const takeRows = (body, fresh) => {
    const rows = new Map([...body.children].map((row) => [row.dataset.key, row]));
    let place = body.firstElementChild;
    for (const next of [...fresh.children]) {
      const html = next.outerHTML;
      const row = rows.get(next.dataset.key);
      if (!row) {
        rememberCells(next);
        sent.set(next, html);
        body.insertBefore(next, place);
        continue;
      }
      rows.delete(next.dataset.key);
      if (sent.get(row) !== html) {
        const freshCells = [...next.children].map((cell) => cell.outerHTML);
        takeCells(row, next);
        [...row.children].forEach((cell, i) => sent.set(cell, freshCells[i]));
        sent.set(row, html);
      }
      if (row === place) place = place.nextElementSibling;
      else body.insertBefore(row, place);
    }
    rows.forEach((row) => row.remove());
  };

  const takeRegion = (region, fresh) => {
    const html = fresh.innerHTML;
    if (sent.get(region) === html) return;
    const bodies = [...region.querySelectorAll("[data-rows]")];
    const freshBodies = [...fresh.querySelectorAll("[data-rows]")];
    const sameTables = bodies.length > 0 && bodies.length === freshBodies.length
      && bodies.every((body, i) => body.id === freshBodies[i].id);
    if (sameTables) {
      bodies.forEach((body, i) => takeRows(body, freshBodies[i]));
    } else {
      region.replaceChildren(...fresh.childNodes);
      remember(region);
      region.querySelectorAll("[data-rows] > [data-key]").forEach(rememberCells);
    }
    sent.set(region, html);
    window.hamsaTimes(region);
  };

  let running = false;
  let again = false;
  const refresh = async () => {
    if (running || document.hidden) {
      again = true;
      return;
    }
    running = true;
    again = false;
    try {
      const response = await fetch(location.href, { headers: { accept: "text/html" } });
      if (response.ok) {
        const fresh = new DOMParser().parseFromString(await response.text(), "text/html");
        document.querySelectorAll("[data-live]").forEach((region) => {
          const other = fresh.getElementById(region.id);
          if (other) takeRegion(region, other);
        });
        document.dispatchEvent(new CustomEvent("hamsa:refreshed"));
      }
    } catch {
      // The node is away; the stream says when it is back.
    }
    running = false;
    if (again) schedule();
  };

  let timer = null;
  const throttles = [...document.querySelectorAll("[data-throttle-ms]")].map((region) => Number(region.dataset.throttleMs));
  const throttleMs = Math.max(250, ...throttles);
  function schedule() {
    timer ??= setTimeout(() => {
      timer = null;
      refresh();
    }, throttleMs);
  }

  // Of the devices' polls only those that the page shows matter to it.
  const isShown = (device) => {
    const devices = document.getElementById("device-rows");
    return !devices || devices.querySelector(`[data-device="${CSS.escape(device)}"]`);
  };

  const say = (state, text) => {
    link.dataset.state = state;
    link.textContent = text;
  };

  const listen = () => {
    const stream = new EventSource(`/api/v1/stream${query ? `?${query}` : ""}`);
    stream.addEventListener("hello", () => {
      if (link.dataset.state === "lost") schedule();
      say("live", "live");
    });
    stream.addEventListener("polled", (event) => {
      const polled = JSON.parse(event.data);
      if (isShown(polled.device)) schedule();
      document.dispatchEvent(new CustomEvent("hamsa:polled", { detail: polled }));
    });
    stream.addEventListener("event", schedule);
    stream.addEventListener("lagged", schedule);
    stream.addEventListener("error", () => {
      say("lost", stream.readyState === EventSource.CLOSED ? "not live" : "connecting …");
      if (stream.readyState === EventSource.CLOSED) {
        stream.close();
        schedule();
        setTimeout(listen, FALLBACK_MS);
      }
    });
    window.addEventListener("pagehide", () => stream.close(), { once: true });
  };

  // Forms that filter do so while one types; the address follows, so that it can be kept.
  document.querySelectorAll("form[data-instant]").forEach((form) => {
    let typing = null;
    const apply = () => {
      const given = [...new FormData(form)].filter(([, value]) => value !== "");
      const parameters = new URLSearchParams(given).toString();
      history.replaceState(null, "", `${form.getAttribute("action")}${parameters ? `?${parameters}` : ""}`);
      refresh();
    };
    form.addEventListener("input", () => {
      clearTimeout(typing);
      typing = setTimeout(apply, 200);
    });
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      clearTimeout(typing);
      apply();
    });
  });

  // Rows of a table that is here whole are filtered here.
  const filterRows = (field) => {
    const words = field.value.toLowerCase().split(/\s+/).filter(Boolean);
    for (const row of document.getElementById(field.dataset.filters)?.children ?? []) {
      const text = row.textContent.toLowerCase();
      row.hidden = !words.every((word) => text.includes(word));
    }
  };
  document.addEventListener("input", (event) => {
    if (event.target.dataset?.filters) filterRows(event.target);
  });
  document.addEventListener("hamsa:refreshed", () => document.querySelectorAll("[data-filters]").forEach(filterRows));

  // "/" leads to the filter, as in many consoles.
  document.addEventListener("keydown", (event) => {
    const isTyping = event.target.closest("input, select, textarea");
    if (event.key === "/" && !isTyping && !event.ctrlKey && !event.metaKey && !event.altKey) {
      const field = document.querySelector("input[type=search]");
      if (field) {
        event.preventDefault();
        field.focus();
        field.select();
      }
    }
  });

  remember(document);
  document.querySelectorAll("[data-rows] > [data-key]").forEach(rememberCells);
  say("lost", "connecting …");
  listen();
  document.addEventListener("visibilitychange", () => {
    if (!document.hidden && again) refresh();
  });
  const every = [...document.querySelectorAll("[data-every-ms]")].map((region) => Number(region.dataset.everyMs));
  if (every.length > 0) setInterval(schedule, Math.min(...every));
})();
