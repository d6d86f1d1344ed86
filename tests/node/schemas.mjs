// Whether graphql-js accepts what `portcullis schema` prints. Its first argument is the module of a graphql-js; standard input
// is `{ directives, folders: [{ name, texts, api }], demo: { url, api } }`. It prints `ok` or `no` and the name of each folder.

import { readFileSync } from "node:fs";
import { pathToFileURL } from "node:url";

const graphql = await import(pathToFileURL(process.argv[2]));
const { parse, concatAST, buildASTSchema, buildSchema, validateSchema } = graphql;
const { directives, folders, demo } = JSON.parse(readFileSync(0, "utf8"));

// The texts of a folder as one schema, `extend type` merged.
function together(texts) {
  const schema = buildASTSchema(concatAST([directives, ...texts].map((text) => parse(text))));
  const errors = validateSchema(schema);
  if (errors.length > 0) throw new Error(errors.join("\n"));
  return schema;
}

for (const { name, texts, api } of folders) {
  try {
    const names = Object.keys(together(texts).getTypeMap());
    if (api) {
      const errors = validateSchema(buildSchema(api));
      if (errors.length > 0) throw new Error(errors.join("\n"));
    }
    console.log(`ok ${name} ${names.length}`);
  } catch (error) {
    console.log(`no ${name} ${error.message}`);
  }
}

// What introspection of the running demo shows is what `schema api` prints.
const sorted = (schema) => graphql.printSchema(graphql.lexicographicSortSchema(schema));
const query = graphql.getIntrospectionQuery({
  specifiedByUrl: true,
  directiveIsRepeatable: true,
  schemaDescription: true,
  inputValueDeprecation: true,
  oneOf: true,
});
const headers = { "content-type": "application/json" };
const answer = await fetch(demo.url, { method: "POST", headers, body: JSON.stringify({ query }) });
const shown = sorted(graphql.buildClientSchema((await answer.json()).data));
const printed = sorted(buildSchema(demo.api));
console.log(shown === printed ? "ok introspection" : `no introspection\n${shown}\n---\n${printed}`);
