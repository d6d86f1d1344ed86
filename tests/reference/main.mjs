// The reference: graphql-js over the same services as the gateway, its verdict and its answer for each operation.
//
// Reads operations as JSON lines from stdin and writes one JSON line for each to stdout. The first line written has the
// schemas as clients see them. Nothing of the gateway takes part in a verdict.

import { createInterface } from "node:readline";
import { execute, executeRootSelectionSet, getNamedType, getOperationAST, GraphQLError, isInputObjectType, isListType, isNonNullType, parse,
  printSchema, subscribe, typeFromAST, validate, validateExecutionArgs } from "graphql";
import * as atlas from "./atlas.mjs";
import * as storefront from "./storefront.mjs";

const worlds = { atlas, storefront };

/** An integer of which a double may not have all digits, as it was sent. */
class Large {
  constructor(digits) { this.digits = digits; }

  /** The gateway keeps the digits of an integer and refuses an ID that was rounded, with a value that no ID is. */
  asId() {
    return /^-?\d+$/.test(this.digits) ? BigInt(this.digits) : Number.NaN;
  }
}

function keepDigits(_key, value, { source }) {
  return Number.isInteger(value) && !Number.isSafeInteger(value) ? new Large(source) : value;
}

/** Large integers are digits where an ID is due, and doubles everywhere else, as `JSON.parse` has them. */
function resolve(value, type) {
  if (isNonNullType(type)) return resolve(value, type.ofType);
  if (value instanceof Large) {
    const of = isListType(type) ? innermost(type) : type;
    return of?.name === "ID" ? value.asId() : Number(value.digits);
  }
  if (Array.isArray(value)) return value.map((item) => resolve(item, isListType(type) ? type.ofType : type));
  if (value === null || typeof value !== "object") return value;
  const named = isListType(type) ? innermost(type) : type;
  const fields = isInputObjectType(named) ? named.getFields() : {};
  return Object.fromEntries(Object.entries(value).map(([name, inner]) => [name, resolve(inner, fields[name]?.type)]));
}

function innermost(type) {
  return isListType(type) || isNonNullType(type) ? innermost(type.ofType) : type;
}

function variablesOf(schema, operation, text) {
  const given = JSON.parse(text, keepDigits);
  const types = new Map();
  for (const definition of operation?.variableDefinitions ?? []) {
    types.set(definition.variable.name.value, typeFromAST(schema, definition.type));
  }
  return Object.fromEntries(Object.entries(given).map(([name, value]) => [name, resolve(value, types.get(name))]));
}

/**
 * A variable in a `@oneOf` field is non-null (specification of September 2025, section 5.8.5). graphql-js 17.1 holds this only
 * where the type around the field is nullable and no list, since it looks at `By!` as something else than `By`.
 */
function OneOfVariablesAreNonNull(context) {
  /** Variables that are the value of a field of a `@oneOf` object, with its name. */
  const within = new Map();
  return {
    ObjectField(node) {
      const around = getNamedType(context.getParentInputType());
      if (node.value.kind === "Variable" && isInputObjectType(around) && around.isOneOf) within.set(node.value, around);
    },
    Document: {
      leave(document) {
        for (const operation of document.definitions.filter(({ kind }) => kind === "OperationDefinition")) {
          const declared = new Map(operation.variableDefinitions?.map((one) => [one.variable.name.value, one.type]));
          for (const { node } of context.getRecursiveVariableUsages(operation)) {
            const type = declared.get(node.name.value);
            if (within.has(node) && type && type.kind !== "NonNullType") {
              context.reportError(new GraphQLError(`Variable "$${node.name.value}" must be non-null in "${within.get(node)}".`));
            }
          }
        }
      },
    },
  };
}

const messages = (errors) => errors.map(({ message, path }) => ({ message, path }));

/** Syntax, validation, the choice of the operation, variables: in this order, the first that refuses is the verdict. */
async function answer({ world, query, variables, operationName }) {
  const { schema, start } = worlds[world];
  let document;
  try {
    // As the specification has it; graphql-js goes on to take `{}` otherwise.
    document = parse(query, { allowEmptySelectionSets: false });
  } catch (error) {
    return { verdict: "syntax", errors: messages([error]) };
  }
  const invalid = validate(schema, document);
  if (invalid.length > 0) return { verdict: "validation", errors: messages(invalid) };
  const amended = validate(schema, document, [OneOfVariablesAreNonNull]);
  if (amended.length > 0) return { verdict: "validation", deliberate: "oneOf variable", errors: messages(amended) };
  const operation = getOperationAST(document, operationName);
  if (!operation) return { verdict: "operation" };
  const variableValues = variablesOf(schema, operation, variables);
  const { calls, ...context } = start();
  const args = { schema, document, variableValues, operationName, ...context };
  const kind = operation.operation;
  let result = await (kind === "subscription" ? subscribe : execute)(args);
  if (result[Symbol.asyncIterator]) {
    const stream = result;
    result = (await stream.next()).value;
    await stream.return();
  } else if (!("data" in result)) {
    const verdict = result.errors.some((error) => error.path) ? "answered" : "variables";
    return { verdict, kind, data: null, errors: messages(result.errors), calls };
  }
  if (result.errors && calls && kind !== "subscription") calls.push(...(await callsWithoutPropagation(args, start())));
  return { verdict: "answered", kind, data: result.data ?? null, errors: messages(result.errors ?? []), calls };
}

/** Every call that is made if an error leaves its siblings alone: whether they are called is up to the order of execution. */
async function callsWithoutPropagation(args, { calls, ...context }) {
  await executeRootSelectionSet({ ...validateExecutionArgs({ ...args, ...context }), errorPropagation: false });
  return calls;
}

const write = (line) => process.stdout.write(`${JSON.stringify(line, (_key, value) => typeof value === "bigint" ? String(value) : value)}\n`);

write({ schemas: Object.fromEntries(Object.entries(worlds).map(([name, { schema }]) => [name, printSchema(schema)])) });
const lines = createInterface({ input: process.stdin, crlfDelay: Infinity });
lines.on("line", async (line) => {
  const { id, ...operation } = JSON.parse(line);
  const reply = await answer(operation).catch((error) => ({ verdict: "failed", errors: [{ message: String(error.stack) }] }));
  write({ id, ...reply });
});
lines.on("close", () => process.exit(0));
