"use strict";
const $ = (id) => document.getElementById(id);
const questions = JSON.parse($("questions").textContent);
let token = "", me = null, turn = 0;

function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (value !== false && value != null) element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children);
  return element;
}

async function ask(path, body) {
  const headers = { Authorization: `Bearer ${token}` };
  if (body !== undefined) headers["X-ClickHouse-Format"] = "JSONCompact";
  const answer = await fetch(path, { method: body === undefined ? "GET" : "POST", body, headers, cache: "no-store", credentials: "omit", redirect: "error" });
  const text = await answer.text();
  if (answer.status === 401) leave("This token does not count here, or no longer.");
  if (!answer.ok) throw new Error(text.trim() || `the hub answered ${answer.status}`);
  return text;
}

async function sql(statement, parameters = {}) {
  const given = new URLSearchParams({ max_result_rows: 1000, result_overflow_mode: "break" });
  for (const [name, value] of Object.entries(parameters)) given.set(`param_${name}`, value);
  const said = JSON.parse(await ask(`/?${given}`, statement));
  return { names: said.meta.map((column) => column.name), kinds: said.meta.map((column) => column.type), rows: said.data };
}

const isNumber = (kind) => /Int|Float|Decimal/.test(kind);
const money = (value) => value == null ? "–" : `$${Number(value).toFixed(2)}`;
const count = (value) => value == null ? "–" : Number(value).toLocaleString("en");

function shown(value, name) {
  if (value == null) return "–";
  if (/_usd$/.test(name)) return money(value);
  if (typeof value === "object") return JSON.stringify(value);
  if (typeof value === "number" && !Number.isInteger(value)) return String(Number(value.toPrecision(6)));
  return String(value);
}

function table({ names, kinds, rows }) {
  if (!rows.length) return make("p", { class: "quiet" }, "Nothing.");
  const classes = kinds.map((kind) => isNumber(kind) ? "number" : false);
  const head = make("tr", {}, ...names.map((name, at) => make("th", { scope: "col", class: classes[at] }, name)));
  const body = rows.map((row) => make("tr", {}, ...row.map((value, at) =>
    make("td", { class: classes[at], title: String(value ?? "") }, shown(value, names[at])))));
  return make("div", { class: "scroll", tabindex: "0" }, make("table", {}, make("thead", {}, head), make("tbody", {}, ...body)));
}

function bars(days) {
  const space = "http://www.w3.org/2000/svg", most = Math.max(...days.map(([, value]) => value), 1e-9);
  const chart = document.createElementNS(space, "svg");
  chart.setAttribute("viewBox", `0 0 ${days.length * 10} 100`);
  chart.setAttribute("preserveAspectRatio", "none");
  chart.setAttribute("role", "img");
  chart.setAttribute("aria-label", `Cost a day, ${money(most)} at most`);
  days.forEach(([day, value], at) => {
    const bar = document.createElementNS(space, "rect"), title = document.createElementNS(space, "title");
    const height = 98 * value / most;
    Object.entries({ x: at * 10 + 1, y: 100 - height, width: 8, height }).forEach(([name, number]) => bar.setAttribute(name, number));
    title.textContent = `${day}: ${money(value)}`;
    bar.append(title);
    chart.append(bar);
  });
  return [chart, make("div", { class: "axis" }, make("span", {}, days[0][0]), make("span", {}, `up to ${money(most)} a day`), make("span", {}, days.at(-1)[0]))];
}

const tile = (name, value) => make("div", { class: "tile" }, make("span", { class: "quiet" }, name), make("b", {}, value));

async function costs() {
  const since = "WHERE time >= now() - INTERVAL 30 DAY";
  const sums = await sql(`SELECT sum(cost_usd), count(*), count(DISTINCT session_id), sum(input_tokens), sum(output_tokens) FROM api_requests ${since}`);
  const days = await sql(`SELECT CAST(CAST(time AS DATE) AS VARCHAR) AS day, coalesce(sum(cost_usd), 0)::DOUBLE AS cost_usd FROM api_requests ${since} GROUP BY 1 ORDER BY 1`);
  const models = await sql(`SELECT model, count(*) AS requests, sum(input_tokens) AS input_tokens, sum(output_tokens) AS output_tokens, sum(cost_usd) AS cost_usd FROM api_requests ${since} GROUP BY 1 ORDER BY cost_usd DESC NULLS LAST`);
  const [cost, requests, sessions, input, output] = sums.rows[0];
  const tiles = make("div", { class: "tiles" }, tile("Cost", money(cost)), tile("Requests", count(requests)), tile("Sessions", count(sessions)), tile("Tokens in", count(input)), tile("Tokens out", count(output)));
  const known = new Map(days.rows), all = Array.from({ length: 31 }, (_, at) => new Date(Date.now() - (30 - at) * 86400e3).toISOString().slice(0, 10));
  const chart = days.rows.length ? bars(all.map((day) => [day, known.get(day) ?? 0])) : [];
  return [make("h2", {}, "Yours, the last 30 days"), tiles, ...chart, make("h2", {}, "By model"), table(models)];
}

async function sessions() {
  const found = await sql("SELECT * FROM sessions ORDER BY 1 DESC LIMIT 0");
  const wanted = ["started_at", "session_id", "client", "project", "prompts", "requests", "errors", "cost_usd", "ended_at"].filter((name) => found.names.includes(name));
  const order = wanted.includes("started_at") ? "started_at DESC" : "1";
  return [make("h2", {}, "Your last 100 sessions"), table(await sql(`SELECT ${wanted.join(", ")} FROM sessions ORDER BY ${order} LIMIT 100`))];
}

function running(button, place, work) {
  return async (event) => {
    event.preventDefault();
    const before = turn;
    button.disabled = true;
    place.replaceChildren(make("p", { class: "quiet" }, "…"));
    try {
      const found = await work();
      if (before === turn) place.replaceChildren(...found);
    } catch (error) {
      if (before === turn) place.replaceChildren(make("p", { class: "wrong", role: "alert" }, error.message));
    }
    button.disabled = false;
  };
}

function readyMade() {
  const place = make("div"), fields = make("div", { class: "wide" }), button = make("button", {}, "Ask");
  const choice = make("select", {}, ...questions.map((one, at) => make("option", { value: at }, one.title)));
  const values = {};
  const field = (item) => {
    const input = item.choices.length
      ? make("select", {}, ...item.choices.map((word) => make("option", { selected: word === item.default }, word)))
      : make("input", { value: item.default, size: "14" });
    values[item.name] = () => input.value;
    return make("label", { title: item.sentence }, item.name, input);
  };
  const choose = () => {
    const one = questions[choice.value];
    Object.keys(values).forEach((name) => delete values[name]);
    fields.replaceChildren(make("p", { class: "quiet" }, one.sentence), make("form", {}, ...one.parameters.map(field)));
  };
  const form = make("form", { onsubmit: running(button, place, async () => {
    const one = questions[choice.value], given = { ...one.implied };
    for (const [name, value] of Object.entries(values)) given[name] = value();
    if (given.day === "today") given.day = new Date().toISOString().slice(0, 10);
    return [table(await sql(one.sql, given))];
  }) }, make("label", {}, "Question", choice), button);
  choice.addEventListener("change", choose);
  fields.addEventListener("submit", (event) => { event.preventDefault(); form.requestSubmit(); });
  choose();
  return [make("h2", {}, "Ready-made questions"), form, fields, place];
}

function freely() {
  const place = make("div"), button = make("button", {}, "Run");
  const text = make("textarea", { spellcheck: "false", "aria-label": "SQL" });
  text.value = "SELECT model, count(*) AS requests, sum(cost_usd) AS cost_usd\nFROM api_requests GROUP BY model ORDER BY cost_usd DESC";
  const form = make("form", { onsubmit: running(button, place, async () => {
    const found = await sql(text.value);
    return [make("p", { class: "quiet" }, `${found.rows.length} rows${found.rows.length >= 1000 ? ", the first of more" : ""}`), table(found)];
  }) }, make("div", { class: "wide" }, text), button, make("span", { class: "quiet" }, "Ctrl+Enter runs it. DuckDB's SQL, over your own rows."));
  text.addEventListener("keydown", (event) => { if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) form.requestSubmit(); });
  return [make("h2", {}, "SQL"), form, place];
}

async function team() {
  const place = make("div"), button = make("button", {}, "Show");
  const by = make("select", {}, ...["all", "team", "chapter", "project", "repository", "client", "model", "query_source"].map((name) => make("option", {}, name)));
  const month = new Date(Date.now() - 30 * 86400e3).toISOString().slice(0, 10);
  const since = make("input", { type: "date", value: month });
  const show = running(button, place, async () => {
    const said = JSON.parse(await ask(`/team?${new URLSearchParams({ dimension: by.value, since: since.value || "2000-01-01", format: "json" })}`));
    if (!said.length) return [make("p", { class: "quiet" }, "No group is large enough to be shown yet.")];
    const names = Object.keys(said[0]), rows = said.map((row) => names.map((name) => row[name]));
    const kinds = names.map((name, at) => rows.some((row) => typeof row[at] === "number") || /_usd$/.test(name) ? "Int64" : "String");
    return [table({ names, kinds, rows })];
  });
  const form = make("form", { onsubmit: show }, make("label", {}, "By", by), make("label", {}, "Since", since), button);
  show(new Event("submit"));
  return [make("h2", {}, "The team, in groups"), make("p", { class: "quiet" }, "Sums of groups of a minimum size. Every look is written down, for every member to read."), form, place];
}

async function log() {
  const lines = (await ask("/team/access")).split("\n").filter(Boolean).map((line) => JSON.parse(line)).reverse();
  const names = [...new Set(lines.flatMap((line) => Object.keys(line)))].filter((name) => !/hash|prev|schema/.test(name));
  const kinds = names.map(() => "String");
  const mine = await sql("SELECT * FROM access_log ORDER BY 1 DESC LIMIT 100").catch(() => null);
  const own = mine ? [make("h2", {}, "Questions about your rows"), table(mine)] : [];
  return [make("h2", {}, "Who asked about the team"), table({ names, kinds, rows: lines.map((line) => names.map((name) => line[name])) }), ...own];
}

const views = { Costs: costs, Sessions: sessions, Questions: readyMade, SQL: freely, Team: team, "Who asked": log };

async function open(name) {
  const mine = ++turn;
  for (const button of $("nav").children) button.toggleAttribute("aria-current", button.textContent === name);
  $("wrong").textContent = "";
  $("view").replaceChildren(make("p", { class: "quiet" }, "…"));
  try {
    const found = await views[name]();
    if (mine === turn) $("view").replaceChildren(...found);
  } catch (error) {
    if (mine === turn) { $("view").replaceChildren(); $("wrong").textContent = error.message; }
  }
}

function leave(why = "") {
  token = "";
  me = null;
  turn++;
  $("nav").replaceChildren();
  $("view").replaceChildren();
  $("who").textContent = "";
  $("enter").hidden = false;
  $("enter").style.display = "";
  $("wrong").textContent = why;
  $("token").focus();
}

$("enter").addEventListener("submit", async (event) => {
  event.preventDefault();
  token = $("token").value.trim();
  $("token").value = "";
  try {
    me = JSON.parse(await ask("/me"));
  } catch (error) {
    if (token) $("wrong").textContent = error.message;
    return;
  }
  $("enter").style.display = "none";
  $("who").textContent = `${me.name}, ${me.role}`;
  const names = Object.keys(views).filter((name) => name !== "Team" || me.role !== "member");
  $("nav").replaceChildren(...names.map((name) => make("button", { onclick: () => open(name) }, name)), make("button", { onclick: () => leave() }, "Leave"));
  open("Costs");
});
$("token").focus();
