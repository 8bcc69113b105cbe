// The routes of /openapi.json, readable: a page of our own, as the common ones load their scripts from elsewhere.

const $ = (id) => document.getElementById(id);

function element(name, text, attributes = {}) {
  return Object.assign(document.createElement(name), { textContent: text, ...attributes });
}

// A schema, or what it refers to.
function resolve(api, schema = {}) {
  if (!schema.$ref) return schema;
  return schema.$ref.split("/").slice(1).reduce((part, name) => part[name], api);
}

function typeOf(api, schema) {
  const found = resolve(api, schema);
  const kinds = found.anyOf ?? found.oneOf;
  if (kinds) return [...new Set(kinds.map((kind) => typeOf(api, kind)))].join(" or ");
  if (found.enum) return found.enum.map((value) => JSON.stringify(value)).join(" or ");
  if (found.type === "array") return `list of ${typeOf(api, found.items)}`;
  return found.contentMediaType || found.format === "binary" ? "file" : found.type ?? "anything";
}

function meaning(schema, description, required) {
  const said = [description ?? schema.description ?? ""];
  if (required) said.push("Required.");
  else if (schema.default !== undefined && schema.default !== null) said.push(`Default: ${JSON.stringify(schema.default)}.`);
  return said.filter(Boolean).join(" ");
}

// What a caller may send: parameters, and the fields of the body.
function fields(api, operation) {
  const rows = (operation.parameters ?? []).map(({ name, in: where, schema, description, required }) =>
    [name, where, typeOf(api, schema), meaning(schema, description, required)]);
  for (const [media, { schema }] of Object.entries(operation.requestBody?.content ?? {})) {
    const body = resolve(api, schema);
    for (const [name, property] of Object.entries(body.properties ?? {})) {
      const required = (body.required ?? []).includes(name);
      const described = { ...resolve(api, property), ...property };
      rows.push([name, media, typeOf(api, property), meaning(described, undefined, required)]);
    }
  }
  return rows;
}

function show(api, path, method, operation) {
  const item = $("operation").content.cloneNode(true);
  const set = (name, text) => { item.querySelector(name).textContent = text; };
  set(".method", method.toUpperCase());
  set(".path", path);
  set(".summary", operation.summary ?? "");
  set(".description", operation.description ?? "");
  set(".answers", `Answers: ${Object.entries(operation.responses)
    .map(([status, { description }]) => `${status} ${description}`).join(" · ")}`);
  const rows = fields(api, operation);
  item.querySelector("table").hidden = !rows.length;
  item.querySelector("tbody").append(...rows.map((row) => {
    const line = document.createElement("tr");
    line.append(...row.map((text) => element("td", text)));
    return line;
  }));
  return item;
}

try {
  const response = await fetch("/openapi.json");
  if (!response.ok) throw new Error();
  const api = await response.json();
  $("status").textContent = `The API of version ${api.info.version}. Every error is a problem with a code.`;
  const tags = new Map();
  for (const [path, methods] of Object.entries(api.paths)) {
    for (const [method, operation] of Object.entries(methods)) {
      const tag = operation.tags?.[0] ?? "more";
      tags.set(tag, [...(tags.get(tag) ?? []), show(api, path, method, operation)]);
    }
  }
  for (const [tag, operations] of tags) $("operations").append(element("h2", tag), ...operations);
} catch {
  $("status").textContent = "The service does not say what it can do.";
}
