// Shows times in the reader's own zone, and how long ago things were. Pages come with times in UTC.
"use strict";

(() => {
  document.documentElement.classList.add("scripts");

  const two = (number) => String(number).padStart(2, "0");

  // Like 2026-01-31 13:05:00: the same for all readers but for their zone.
  const full = (ms) => {
    const time = new Date(ms);
    const date = `${time.getFullYear()}-${two(time.getMonth() + 1)}-${two(time.getDate())}`;
    return `${date} ${two(time.getHours())}:${two(time.getMinutes())}:${two(time.getSeconds())}`;
  };

  // The zone by its name and its distance to UTC, which daylight saving changes.
  const zone = () => {
    const name = Intl.DateTimeFormat().resolvedOptions().timeZone;
    const minutes = -new Date().getTimezoneOffset();
    const sign = minutes < 0 ? "−" : "+";
    const hours = Math.floor(Math.abs(minutes) / 60);
    const rest = Math.abs(minutes) % 60;
    const offset = minutes === 0 ? "UTC" : `UTC${sign}${hours}${rest ? `:${two(rest)}` : ""}`;
    return name && name !== "UTC" ? `${name} (${offset})` : offset;
  };

  const ago = (ms) => {
    const s = Math.round((Date.now() - ms) / 1000);
    if (s < 2) return "just now";
    if (s < 90) return `${s} s ago`;
    if (s < 90 * 60) return `${Math.round(s / 60)} min ago`;
    if (s < 36 * 3600) return `${Math.round(s / 3600)} h ago`;
    return `${Math.round(s / 86400)} d ago`;
  };

  const show = (element) => {
    const ms = Number(element.dataset.ms);
    const absolute = full(ms);
    const text = element.dataset.show === "ago" ? ago(ms) : absolute;
    if (element.textContent !== text) element.textContent = text;
    element.title = `${absolute}, ${zone()}`;
  };

  // Used by the scripts that put something into the page.
  window.hamsaFullTime = full;
  window.hamsaTimes = (root) => root.querySelectorAll("time[data-ms]").forEach(show);

  window.hamsaTimes(document);
  document.getElementById("zone").textContent = `Times are ${zone()}`;
  setInterval(() => document.querySelectorAll("time[data-show=ago]").forEach(show), 1000);
})();
