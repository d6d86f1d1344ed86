// The second graph: its service answers with what it was sent, and what graphql-js would send is noted.

import { readFileSync } from "node:fs";
import { apiSchema } from "./schema.mjs";

export const schema = apiSchema(readFileSync(process.env.ATLAS, "utf8"));

/** The same JSON with its keys in order. */
function sorted(value) {
  if (Array.isArray(value)) return value.map(sorted);
  if (value === null || typeof value !== "object") return value;
  return Object.fromEntries(Object.keys(value).sort().map((key) => [key, sorted(value[key])]));
}

/** One segment of a path; what could lead elsewhere is refused. */
function segment(value) {
  if (/^\.{0,2}$/.test(value)) throw new Error("no such segment");
  return encode(value);
}

const encode = (value) => encodeURIComponent(value).replace(/[!'()*]/g, (c) => `%${c.charCodeAt(0).toString(16).toUpperCase()}`);

/** A query string: null and empty leave a parameter out, lists repeat it. */
function query(parameters) {
  const parts = Object.entries(parameters).flatMap(([name, value]) =>
    [value].flat().filter((one) => one !== undefined && one !== null).map((one) => `${name}=${encode(one)}`));
  return parts.join("&");
}

/** The service and its fields for one operation. */
export function start() {
  const calls = [];
  const send = (method, target, body) => {
    const text = body === undefined ? "" : JSON.stringify(sorted(body));
    calls.push(`${method} ${target} ${text}`.trimEnd());
    return { method, target, body: text === "" ? null : JSON.parse(text), again };
  };
  const again = (args) => send("POST", "/again", args);
  const post = (name) => (args) => send("POST", `/${name}`, args);
  const title = (id) => ({ style, short }) => {
    send("GET", `/title?${query({ id, style, short })}`);
    return `${style} ${id}`;
  };

  const book = (id) => ({ __typename: "Book", id, place: `p${id}`, pages: 100, related: null, title: title(id) });
  const disc = (id) => ({
    __typename: "Disc", id, minutes: 1.5, tracks: [["a", null], []], related: [book(`${id}r`)], title: title(id),
  });
  const note = { __typename: "Note", text: "n", color: "GREEN", at: "2026-01-01T00:00:00Z" };

  const rootValue = {
    ...Object.fromEntries(["leaf", "strict", "whole", "defaults", "loose", "lists", "find", "pick", "picks"].map((name) => [name, post(name)])),
    items: ({ first, kinds }) => {
      send("GET", `/items?${query({ first, kinds: kinds?.join(",") })}`.replaceAll("%2C", ","));
      const count = Math.min(Math.max(first, 0), 4);
      const of = kinds?.length ? kinds : ["BOOK"];
      return Array.from({ length: count }, (_, index) => (of[index % of.length] === "BOOK" ? book : disc)(String(index)));
    },
    item: ({ id }) => {
      send("GET", `/items/${segment(id)}`);
      return id.length % 2 === 0 ? book(id) : disc(id);
    },
    search: ({ text, tags, flag, color }) => {
      // An empty tag leaves its parameter out (docs/rest.md, `skipEmpty`).
      const tag = tags?.filter((one) => one !== "");
      send("GET", `/search?${query({ text, flag, tag, color: color ?? "" })}`);
      return [book("1"), null, disc("2"), note];
    },
    incr: (args) => send("POST", "/mutation/incr", args),
    put: ({ input }) => send("PUT", "/mutation/put", input),
    many: ({ puts, dry }) => send("POST", "/mutation/many", { items: puts, dry: dry ?? null }),
    tag: ({ id, tags }) => send("PATCH", `/mutation/tag/${segment(id)}`, { tags }),
    ticks: async function* (args) {
      yield { ticks: send("POST", "/ticks", args) };
    },
  };
  return { calls, rootValue };
}
