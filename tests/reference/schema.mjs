// The schema that clients see, read out of the SDL that the gateway loads.

import { buildASTSchema, parse, visit } from "graphql";

/** Directives that clients see; all others say how the gateway fills a field, and graphql-js does not know them. */
const PUBLIC = new Set(["deprecated", "oneOf", "specifiedBy"]);

const has = (node, name) => node.directives?.some((directive) => directive.name.value === name);

/** Merges type extensions, and leaves out what is internal. */
export function apiSchema(sdl) {
  const parsed = parse(sdl);
  const types = parsed.definitions.filter((node) => !node.kind.endsWith("Extension"));
  const extended = types.map((type) => {
    const extensions = parsed.definitions.filter(
      (node) => node.kind.endsWith("Extension") && node.name.value === type.name.value,
    );
    return extensions.length === 0 ? type : { ...type, fields: [type, ...extensions].flatMap((node) => node.fields) };
  });
  const document = visit({ kind: "Document", definitions: extended }, {
    FieldDefinition: (node) => (has(node, "internal") ? null : undefined),
    Directive: (node) => (PUBLIC.has(node.name.value) ? undefined : null),
  });
  return buildASTSchema(document);
}
