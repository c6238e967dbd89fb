// Asks the device every two seconds and shows what it says. Nothing is asked while nobody looks.
"use strict";

const period_ms = 2000;
const patience_ms = 6000;  // without an answer for so long the device counts as unreachable
const history_size = 60;

const at = (id) => document.getElementById(id);
const put = (id, text) => {
  const element = at(id);
  if (element.textContent !== text) {
    element.textContent = text;
  }
};
const make = (tag, className, text) => {
  const element = document.createElement(tag);
  if (className) {
    element.className = className;
  }
  if (text !== undefined) {
    element.textContent = text;
  }
  return element;
};

// ---- numbers for people

const bytes = (count) => {
  if (count === null || count === undefined) {
    return "–";
  }
  const units = ["B", "KiB", "MiB", "GiB", "TiB"];
  let unit = 0;
  let value = count;
  while (value >= 1024 && unit < units.length - 1) {
    value /= 1024;
    ++unit;
  }
  return `${unit === 0 || value >= 100 ? Math.round(value) : value.toFixed(1)} ${units[unit]}`;
};
const count = (value) => value.toLocaleString("en").replaceAll(",", "\u202f");
const duration = (seconds) => {
  if (seconds < 0.001) {
    return "< 1 ms";
  }
  if (seconds < 1) {
    return `${Math.round(seconds * 1000)} ms`;
  }
  if (seconds < 60) {
    return `${seconds < 10 ? seconds.toFixed(1) : Math.round(seconds)} s`;
  }
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) {
    return `${minutes} min`;
  }
  const hours = Math.floor(minutes / 60);
  return hours < 24 ? `${hours} h ${minutes % 60} min` : `${Math.floor(hours / 24)} d ${hours % 24} h`;
};

// ---- bars and lines

const set_bar = (bar, part, mark) => {
  const percent = Math.max(0, Math.min(100, part * 100));
  bar.querySelector("i").style.width = `${percent}%`;
  bar.classList.toggle("high", percent >= 90);
  bar.setAttribute("aria-valuenow", percent.toFixed(0));
  const tick = bar.querySelector("b");
  if (tick) {
    tick.style.left = `${Math.max(0, Math.min(100, mark * 100))}%`;
  }
};

const histories = {};
const set_spark = (name, value, floor) => {
  const history = (histories[name] = histories[name] || []);
  history.push(value);
  if (history.length > history_size) {
    history.shift();
  }
  const low = Math.min(floor, ...history);
  const high = Math.max(low + 1e-9, ...history) * 1.1;  // the line does not touch the number above
  const values = history.length > 1 ? history : [value, value];  // a level, until there are more
  const points = values.map((v, i) => {
    const x = (i / (values.length - 1)) * 120;
    return `${x.toFixed(1)} ${(26 - ((v - low) / (high - low)) * 24).toFixed(1)}`;
  });
  const [area, line] = at(`${name}-spark`).children;
  line.setAttribute("d", `M${points.join("L")}`);
  area.setAttribute("d", `M${points.join("L")}L120 28L0 28Z`);
};

// ---- the board

const show_status = (status) => {
  const known = status.board.name === "generic" ? status.hostname || "This device" : status.board.title;
  put("model", status.model === "unknown" ? known : status.model);
  document.title = `${status.hostname || "pollux"} · pollux`;
  const kernel = [status.kernel.name, status.kernel.release].filter(Boolean).join(" ");
  put("identity", [status.hostname, kernel, status.kernel.machine].filter(Boolean).join(" · "));

  put("uptime", status.uptime_s === null ? "–" : duration(status.uptime_s));
  const watchdog = status.board.watchdog;
  put("watchdog", watchdog ? `${watchdog.failures > 0 ? "watchdog cannot be fed" : "watchdog fed"}${
    watchdog.has_reset ? ", it caused the last start" : ""}` : "");
  at("watchdog").classList.toggle("trouble", Boolean(watchdog) && (watchdog.failures > 0 || watchdog.has_reset === true));
  const clock = status.time.utc ? `${status.time.utc.slice(0, 10)} ${status.time.utc.slice(11, 19)} UTC` : "no time";
  put("clock", status.time.is_set ? clock : `${clock}: the clock is not set`);

  put("load", status.load ? status.load[0].toFixed(2) : "–");
  put("cpus", status.load && status.cpus ? `of ${status.cpus} ${status.cpus === 1 ? "CPU" : "CPUs"}` : "");
  if (status.load) {
    set_spark("load", status.load[0], 0);
    put("load-note", `5 min ${status.load[1].toFixed(2)} · 15 min ${status.load[2].toFixed(2)}`);
  }
  show_space("memory", status.memory, status.memory.process ? `this program ${bytes(status.memory.process)}` : "");
  show_space("disk", status.disk, "");

  const temperatures = status.temperatures;
  at("temperature-tile").hidden = temperatures.length === 0;
  if (temperatures.length > 0) {
    const hottest = temperatures.reduce((a, b) => (b.celsius > a.celsius ? b : a));
    put("temperature", `${hottest.celsius.toFixed(1)} °C`);
    set_spark("temperature", hottest.celsius, 20);
    const others = temperatures.length > 1 ? `, the hottest of ${temperatures.length}` : "";
    put("temperature-note", `${hottest.name}${others}`);
  }
  // Loopback last: it is the one nobody looks for.
  show_interfaces((status.interfaces || []).sort((a, b) => (a.name === "lo") - (b.name === "lo")));
};

const show_space = (name, space, extra) => {
  if (space.total === null) {
    put(name, "–");
    return;
  }
  const used = space.total - space.available;
  put(name, `${Math.round((used / space.total) * 100)} %`);
  set_bar(at(`${name}-bar`), used / space.total);
  put(`${name}-note`, [`${bytes(used)} of ${bytes(space.total)}`, extra].filter(Boolean).join(" · "));
};

const show_interfaces = (interfaces) => {
  at("interfaces-none").hidden = interfaces.length > 0;
  at("interfaces").replaceChildren(...interfaces.map((i) => {
    const item = make("li");
    const line = make("div", "interface");
    line.append(make("strong", "", i.name), make("span", i.is_up ? "state up" : "state", i.is_up ? "up" : "down"),
                make("span", "note", i.mac || ""));
    const addresses = make("div", "addresses");
    addresses.append(...i.addresses.map((address) => make("span", "", address)));
    item.append(line, addresses);
    return item;
  }));
};

// ---- LEDs

const led_rows = new Map();

const change_led = async (row, change) => {
  row.pending = true;
  row.button.disabled = true;
  put("leds-error", "");
  try {
    const answer = await fetch(`/api/v1/leds/${encodeURIComponent(row.name)}`, {
      method: "PUT",
      headers: {"Content-Type": "application/json"},
      body: JSON.stringify(change),
      signal: AbortSignal.timeout(patience_ms),
    });
    const body = await answer.json();
    if (!answer.ok) {
      throw new Error(body.error.message);
    }
    row.show(body);
  } catch (error) {
    put("leds-error", `${row.name}: ${error.message}`);
  } finally {
    row.pending = false;
    row.button.disabled = false;
  }
};

const make_led_row = (led) => {
  const item = make("li");
  const lamp = make("span", "lamp");
  lamp.setAttribute("aria-hidden", "true");
  const label = make("span", "led-name", led.label || led.name);
  const detail = make("small");
  label.append(detail);
  label.id = `led-${led.name}`;
  const button = make("button", "switch");
  button.type = "button";
  button.setAttribute("role", "switch");
  button.setAttribute("aria-label", led.name);
  item.append(lamp, label, button);
  const row = {name: led.name, item, button, pending: false, level: led.max_brightness};
  // Whatever drives the LED by itself lets go of it first, or it would not stay as it is switched.
  const wish = (brightness) => (row.trigger && row.trigger !== "none" ? {brightness, trigger: "none"} : {brightness});
  let slider = null;
  if (led.max_brightness > 1) {
    slider = make("input");
    slider.type = "range";
    slider.min = 0;
    slider.max = led.max_brightness;
    slider.setAttribute("aria-label", `Brightness of ${led.name}`);
    slider.addEventListener("change", () => change_led(row, wish(Number(slider.value))));
    item.append(slider);
  }
  button.addEventListener("click", () => change_led(row, wish(row.brightness > 0 ? 0 : row.level)));
  row.show = (now) => {
    row.brightness = now.brightness;
    row.trigger = now.trigger;
    row.level = now.brightness || row.level;
    lamp.classList.toggle("on", now.brightness > 0);
    button.setAttribute("aria-checked", String(now.brightness > 0));
    const driven = now.trigger && now.trigger !== "none" ? `driven by ${now.trigger}` : "";
    const level = now.max_brightness > 1 ? `${now.brightness} of ${now.max_brightness}` : now.brightness > 0 ? "on" : "off";
    detail.textContent = [level, driven].filter(Boolean).join(" · ");
    if (slider && document.activeElement !== slider) {
      slider.value = now.brightness;
    }
  };
  return row;
};

const show_leds = (leds) => {
  at("leds-none").hidden = leds.length > 0;
  const names = new Set(leds.map((led) => led.name));
  for (const [name, row] of led_rows) {
    if (!names.has(name)) {
      row.item.remove();
      led_rows.delete(name);
    }
  }
  leds.forEach((led, i) => {
    let row = led_rows.get(led.name);
    if (!row) {
      row = make_led_row(led);
      led_rows.set(led.name, row);
    }
    if (at("leds").children[i] !== row.item) {
      at("leds").insertBefore(row.item, at("leds").children[i] || null);
    }
    if (!row.pending) {
      row.show(led);
    }
  });
};

// ---- GPIO lines: those that this program holds

const change_line = async (line) => {
  put("gpio-error", "");
  try {
    const answer = await fetch(`/api/v1/gpio/${encodeURIComponent(line.name)}`, {
      method: "PUT",
      headers: {"Content-Type": "application/json"},
      body: JSON.stringify({value: line.value === 1 ? 0 : 1}),
      signal: AbortSignal.timeout(patience_ms),
    });
    const body = await answer.json();
    if (!answer.ok) {
      throw new Error(body.error.message);
    }
  } catch (error) {
    put("gpio-error", `${line.name}: ${error.message}`);
  }
  refresh();
};

const line_rows = new Map();

const make_line_row = (line) => {
  const item = make("li");
  const lamp = make("span", "lamp");
  lamp.setAttribute("aria-hidden", "true");
  const label = make("span", "led-name", line.name);
  const detail = make("small");
  label.append(detail);
  item.append(lamp, label);
  const row = {line};
  let button = null;
  if (line.direction === "out") {
    button = make("button", "switch");
    button.type = "button";
    button.setAttribute("role", "switch");
    button.setAttribute("aria-label", line.name);
    button.addEventListener("click", () => change_line(row.line));
    item.append(button);
  }
  row.show = (now) => {
    row.line = now;
    lamp.classList.toggle("on", now.value === 1);
    const level = now.value === null ? "cannot be read" : now.value === 1 ? "on" : "off";
    detail.textContent = now.error || `${now.direction === "out" ? "output" : "input"} · ${level}`;
    if (button) {
      button.setAttribute("aria-checked", String(now.value === 1));
    }
  };
  at("gpio").append(item);
  return row;
};

const show_lines = (lines) => {
  const shown = lines.filter((line) => line.direction !== null || line.error !== null);
  at("gpio-part").hidden = shown.length === 0;
  for (const line of shown) {
    if (!line_rows.has(line.name)) {
      line_rows.set(line.name, make_line_row(line));
    }
    line_rows.get(line.name).show(line);
  }
};

// ---- the server

const answer_classes = [["2xx", "ok"], ["3xx", "moved"], ["4xx", "wrong"], ["5xx", "broken"], ["none", "broken"]];
// Ends that somebody should look at, if there are many of them.
const trouble = ["bad request", "too large", "truncated", "timeout", "reset", "refused", "abort", "overflow", "mismatch"];
const is_trouble = (reason) => reason !== "idle timeout" && trouble.some((word) => reason.includes(word));

let last = null;  // the counters of the answer before, to make rates of

const show_pools = (pools) => {
  const parent = at("pools");
  pools.forEach((pool, i) => {
    let item = parent.children[i];
    if (!item) {
      item = make("div", "pool");
      const line = make("p");
      line.append(make("span", "", pool.name), make("span", "note"));
      const bar = make("div", "bar");
      bar.setAttribute("role", "meter");
      bar.setAttribute("aria-label", `${pool.name} in use`);
      bar.setAttribute("aria-valuemin", "0");
      bar.setAttribute("aria-valuemax", "100");
      bar.append(make("i"), make("b"));
      item.append(line, bar);
      parent.append(item);
    }
    item.querySelector(".note").textContent = `${pool.used} of ${pool.size} · most ${pool.used_max}`;
    set_bar(item.querySelector(".bar"), pool.used / pool.size, pool.used_max / pool.size);
  });
};

const show_answers = (answers) => {
  const shown = answer_classes.filter(([name]) => answers[name] > 0);
  at("answers-stack").replaceChildren(...shown.map(([name, style]) => {
    const part = make("i", style);
    part.style.flexGrow = answers[name];
    return part;
  }));
  at("answers").replaceChildren(...shown.map(([name, style]) => {
    const item = make("li");
    item.append(make("span", `key ${style}`), `${name === "none" ? "no answer" : name} ${count(answers[name])}`);
    return item;
  }));
};

const show_facts = (facts) => {
  at("facts").replaceChildren(...facts.flatMap(([name, value]) => [make("dt", "", name), make("dd", "", value)]));
};

const tls_facts = (tls) => {
  if (!tls) {
    return [];
  }
  const days = Math.min(...tls.certificates.map((certificate) => certificate.days_left));
  return [
    ["TLS handshakes", `${count(tls.handshakes)}, ${count(tls.resumed)} resumed`],
    ["TLS handshakes failed", count(tls.failed)],
    ["TLS memory", `${bytes(tls.arena.used_max)} of ${bytes(tls.arena.size)}`],
    ["Certificate", days < 0 ? `expired ${count(-days)} days ago` : `${count(days)} days left`],
  ];
};

const show_pollux = (pollux) => {
  const counters = pollux.counters;
  put("version", `pollux ${pollux.version}`);
  put("server-note", `up ${duration(pollux.uptime_s)}`);
  show_pools(pollux.pools);
  if (last && pollux.uptime_s > last.uptime_s) {
    const rate = (counters.requests - last.requests) / (pollux.uptime_s - last.uptime_s);
    put("rate", rate >= 100 ? count(Math.round(rate)) : rate.toFixed(1));
    set_spark("rate", rate, 0);
  }
  last = {uptime_s: pollux.uptime_s, requests: counters.requests};
  show_answers(counters.answers);
  show_facts([
    ["Requests", count(counters.requests)],
    ["Connections accepted", count(counters.accepted)],
    ["Received", bytes(counters.bytes_in)],
    ["Sent", bytes(counters.bytes_out)],
    ["Turns of the loop", count(pollux.turns)],
    ["Waits for an exchange", count(counters.exchange_waits)],
    ["Accepting paused", count(counters.listener_parked)],
    ["Memory, all of it", bytes(pollux.memory.sum)],
    ...tls_facts(pollux.tls),
  ]);
  const reasons = Object.entries(counters.closes).filter(([, value]) => value > 0).sort((a, b) => b[1] - a[1]);
  at("reasons").replaceChildren(...reasons.map(([name, value]) => {
    const chip = make("li", "", `${name} `);
    chip.append(make("b", "", count(value)));
    return chip;
  }));
  show_closes(pollux.last_closes);
};

const show_closes = (closes) => {
  at("closes-none").hidden = closes.length > 0;
  at("closes-table").hidden = closes.length === 0;
  at("closes").replaceChildren(...closes.slice(-12).reverse().map((close) => {
    const row = make("tr");
    const when = make("td", "", `${duration(close.ago_s)} ago`);
    when.title = close.at || "";
    row.append(when, make("td", "", close.remote), make("td", is_trouble(close.reason) ? "trouble" : "", close.reason),
               make("td", "number wide", duration(close.lived_s)), make("td", "number wide", count(close.requests)),
               make("td", "number wide", bytes(close.bytes_in)), make("td", "number wide", bytes(close.bytes_out)));
    return row;
  }));
};

// ---- asking

let timer = 0;
let asking = false;
let answered_at = 0;

const set_live = (state, text) => {
  at("live").dataset.state = state;
  put("live-text", text);
};

const show_lost = () => {
  const since = answered_at ? ` for ${duration((Date.now() - answered_at) / 1000)}` : "";
  document.body.classList.add("lost");
  set_live("lost", "No answer");
  at("alert").hidden = false;
  put("alert", `The device has not answered${since}. These are its last values; trying again every two seconds.`);
};

const ask = async (path) => {
  const answer = await fetch(path, {cache: "no-store", signal: AbortSignal.timeout(patience_ms)});
  if (!answer.ok) {
    throw new Error(`${path}: ${answer.status}`);
  }
  return answer.json();
};

const refresh = async () => {
  if (asking) {
    return;
  }
  clearTimeout(timer);
  asking = true;
  let answers = null;
  try {
    answers = [await ask("/api/v1/status"), await ask("/api/v1/leds"), await ask("/api/v1/pollux"),
               await ask("/api/v1/gpio")];
  } catch {
    show_lost();
  }
  asking = false;
  if (!document.hidden) {
    timer = setTimeout(refresh, period_ms);
  }
  if (answers) {
    answered_at = Date.now();
    document.body.classList.remove("lost");
    at("alert").hidden = true;
    set_live("live", "Live");
    show_status(answers[0]);
    show_leds(answers[1].leds);
    show_pollux(answers[2]);
    show_lines(answers[3].lines);
  }
};

document.addEventListener("visibilitychange", () => {
  if (document.hidden) {
    clearTimeout(timer);
    set_live("waiting", "Paused");
  } else {
    refresh();
  }
});
refresh();
