// The OpenAPI document for people: what can be asked, what is answered, and a form to try it. Whatever it writes is text, never markup.

import { kind, model } from "./schema.js";
import { element, link, prose, put, table } from "./write.js";

const by = (id) => document.getElementById(id);

function show({ info, paths, components }) {
  put("version", info.version);
  put("summary", info.summary);
  for (const [path, methods] of Object.entries(paths)) {
    for (const [method, operation] of Object.entries(methods)) {
      by("operations").append(shown(method.toUpperCase(), path, operation));
      by("contents").append(link(`#${operation.operationId}`, path));
    }
  }
  by("models-title").hidden = false;
  for (const [name, schema] of Object.entries(components.schemas)) by("models").append(model(name, schema));
}

function shown(method, path, { operationId, description, requestBody, responses }) {
  const [[takes, body] = []] = Object.entries(requestBody?.content ?? {});
  const section = element("section", [element("h2", [element("span", method, "method"), path]), ...prose(description)]);
  section.id = operationId;
  section.setAttribute("aria-label", `${method} ${path}`);
  if (body) section.append(element("h4", "It takes"), element("p", [...kind(body.schema), `, ${takes}`]));
  section.append(element("h4", "It answers"), table(`Answers of ${path}`, ["Status", "Body", "When"], Object.entries(responses).map(answer)));
  section.append(form(method, path, takes, body?.example));
  return section;
}

function answer([status, { description, content = {}, headers = {} }]) {
  const bodies = Object.entries(content).map(([type, { schema }]) => element("div", [...kind(schema), ", ", element("code", type)]));
  const told = Object.entries(headers).map(([name, header]) => element("div", [element("code", name), ` ${header.description}`]));
  const examples = Object.values(content).flatMap(({ example }) => (example === undefined ? [] : [element("pre", json(example))]));
  return [[element("b", status)], bodies, [description, ...told, ...examples]];
}

// On one line, as the contract writes it.
function json(value) {
  if (Array.isArray(value)) return `[${value.map(json).join(", ")}]`;
  if (value === null || typeof value !== "object") return JSON.stringify(value);
  return `{${Object.entries(value).map(([name, member]) => `${JSON.stringify(name)}: ${json(member)}`).join(", ")}}`;
}

function form(method, path, takes, example) {
  const made = element("form");
  const button = element("button", "Send");
  const output = element("output");
  const input = takes && element("textarea", json(example ?? {}));
  if (input) {
    const id = `body-of-${path.slice(1)}`;
    Object.assign(input, { id, rows: 3, spellcheck: false, autocomplete: "off" });
    made.append(Object.assign(element("label", "Try it with"), { htmlFor: id }), input);
  }
  output.setAttribute("aria-live", "polite");
  button.setAttribute("aria-label", `Send ${method} ${path}`);
  made.append(button, output);
  made.addEventListener("submit", async (event) => {
    event.preventDefault();
    button.disabled = true;
    await send(method, path, input && { headers: { "content-type": takes }, body: input.value }, output);
    button.disabled = false;
  });
  return made;
}

async function send(method, path, sent, output) {
  try {
    const response = await fetch(path.slice(1), { method, ...sent });
    const text = await response.text();
    output.dataset.state = response.ok ? "complete" : "failed";
    output.textContent = `${response.status} ${response.headers.get("content-type")}\n${text}`;
  } catch {
    output.dataset.state = "failed";
    output.textContent = "The instance cannot be reached.";
  }
}

try {
  const response = await fetch("openapi.json");
  show(await response.json());
} catch {
  put("summary", "The OpenAPI document cannot be read.");
}
if (location.hash) document.querySelector(location.hash)?.scrollIntoView();
