// Types of JSON Schema in words, and models as tables.

import { element, link, prose, table } from "./write.js";

const NAMED = "#/components/schemas/";

// The words and links for a type, to be appended.
export function kind(schema) {
  if (schema.$ref) return [named(schema.$ref)];
  if (schema.anyOf) return schema.anyOf.flatMap((choice, place) => (place ? [" or ", ...kind(choice)] : kind(choice)));
  if (schema.enum ?? schema.const) return [element("code", [schema.enum ?? schema.const].flat().join(" | "))];
  if (schema.type === "array") return ["list of ", ...(schema.items ? kind(schema.items) : ["anything"])];
  if (schema.type === "object") return ["object of ", ...kind(schema.additionalProperties ?? {})];
  return [schema.format ?? schema.type ?? "anything", length(schema)];
}

function named(reference) {
  const name = reference.slice(NAMED.length);
  return link(`#model-${name}`, name);
}

function length({ minLength, maxLength }) {
  return maxLength === undefined ? "" : ` of ${minLength ?? 0} to ${maxLength} characters`;
}

export function model(name, schema) {
  const section = element("section", [element("h3", name), ...prose(schema.description)]);
  section.id = `model-${name}`;
  section.setAttribute("aria-label", name);
  if (!schema.properties) {
    section.append(element("p", kind(schema)));
    return section;
  }
  const rows = Object.entries(schema.properties).map(([member, its]) => {
    const missing = schema.required?.includes(member) ? "" : ", if any";
    return [[element("code", member)], [...kind(its), missing], prose(its.description)];
  });
  section.append(table(`Members of ${name}`, ["Member", "Type", "Meaning"], rows));
  return section;
}
