// The published GraphQL over WebSocket protocol (PROTOCOL.md of npm's graphql-ws), statement by statement: its own
// client as the gateway's peer, and raw frames for what that client never does. Prints one line for each statement.
//
//   node protocol.mjs http://127.0.0.1:4000/graphql
//
// The gateway serves the schema of the tests' feed: `said` sends an event again and again. `subscriptions.init_timeout`
// is a few seconds, `limits.body` 64 KiB and `subscriptions.max_per_connection` 3.
import { createClient } from "graphql-ws";
import WebSocket from "ws";

const url = process.argv[2].replace(/^http/, "ws");
const NEW = "graphql-transport-ws";
const OLD = "graphql-ws";
const PATIENCE = 30_000;

const QUERY = "{ user(id: 1) { name } }";
const MUTATION = "mutation { rename(id: 2) { name } }";
const SAID = "subscription { said { text } }";

const checks = [];
const check = (name, run) => checks.push({ name, run });

function same(found, expected, what = "the message") {
  const [a, b] = [JSON.stringify(sorted(found)), JSON.stringify(sorted(expected))];
  if (a !== b) throw new Error(`${what} is ${a}, not ${b}`);
}

function sorted(value) {
  if (Array.isArray(value)) return value.map(sorted);
  if (value === null || typeof value !== "object") return value;
  return Object.fromEntries(Object.keys(value).sort().map((key) => [key, sorted(value[key])]));
}

// A raw socket: what comes is kept until it is asked for.
class Peer {
  constructor(protocol = NEW) {
    this.kept = [];
    this.waiting = [];
    this.ws = new WebSocket(url, protocol);
    this.opened = new Promise((resolve, reject) => this.ws.once("open", resolve).once("error", reject));
    this.opened.catch(() => {});
    this.ws.on("message", (data, isBinary) => this.keep({ message: JSON.parse(data), isBinary }));
    this.ws.on("ping", (data) => this.keep({ ping: data.toString() }));
    this.ws.on("pong", (data) => this.keep({ pong: data.toString() }));
    this.closed = new Promise((resolve) =>
      this.ws.once("close", (code, reason) => {
        resolve({ code, reason: reason.toString() });
        this.keep({ close: code });
      }),
    );
  }

  static async open(protocol) {
    const peer = new Peer(protocol);
    await peer.opened;
    return peer;
  }

  static async begun(protocol) {
    const peer = await Peer.open(protocol);
    peer.send({ type: "connection_init" });
    same(await peer.message(), { type: "connection_ack" });
    return peer;
  }

  keep(event) {
    const next = this.waiting.shift();
    if (next) next(event);
    else this.kept.push(event);
  }

  async event() {
    return this.kept.shift() ?? (await new Promise((resolve) => this.waiting.push(resolve)));
  }

  // The next message; signs of life aside.
  async message() {
    for (;;) {
      const event = await this.event();
      if ("close" in event) throw new Error(`closed with ${event.close}`);
      if (event.message && event.message.type !== "ka") return event.message;
    }
  }

  send(message) {
    this.ws.send(typeof message === "string" ? message : JSON.stringify(message));
  }

  subscribe(id, query, more = {}) {
    this.send({ type: "subscribe", id, payload: { query, ...more } });
  }

  // Nothing has come until the answer to a ping, which is sent after it.
  async silent() {
    this.send({ type: "ping", payload: { silent: true } });
    same(await this.message(), { type: "pong", payload: { silent: true } }, "the first message");
  }

  async closes(code, reason) {
    const closed = await this.closed;
    if (closed.code !== code) throw new Error(`closed with ${closed.code} (${closed.reason}), not ${code}`);
    if (reason !== undefined) same(closed.reason, reason, "the reason");
  }
}

// The library's own client.
function client(more = {}) {
  const closed = Promise.withResolvers?.() ?? deferred();
  const pongs = [];
  const made = createClient({
    url,
    webSocketImpl: WebSocket,
    retryAttempts: 0,
    ...more,
    on: { closed: (event) => closed.resolve(event), pong: (_, payload) => pongs.push(payload), ...more.on },
  });
  return { client: made, closed: closed.promise, pongs };
}

function deferred() {
  const made = {};
  made.promise = new Promise((resolve, reject) => Object.assign(made, { resolve, reject }));
  return made;
}

// All that an operation gives: results, and how it ends.
function run({ client }, payload) {
  return new Promise((resolve) => {
    const results = [];
    client.subscribe(payload, {
      next: (result) => results.push(result),
      error: (error) => resolve({ results, error }),
      complete: () => resolve({ results }),
    });
  });
}

// With the library's client

check("client: a query has one result and completes", async () => {
  const peer = client();
  same(await run(peer, { query: QUERY }), { results: [{ data: { user: { name: "n1" } } }] });
  await peer.client.dispose();
});
check("client: a mutation has one result and completes", async () => {
  const peer = client();
  same(await run(peer, { query: MUTATION }), { results: [{ data: { rename: { name: "n2" } } }] });
  await peer.client.dispose();
});
check("client: variables and an operation name", async () => {
  const peer = client();
  const query = "query A { user(id: 1) { name } } query B($id: ID!) { user(id: $id) { name } }";
  const payload = { query, operationName: "B", variables: { id: 3 }, extensions: { a: 1 } };
  same(await run(peer, payload), { results: [{ data: { user: { name: "n3" } } }] });
  await peer.client.dispose();
});
check("client: a subscription has results until it is returned", async () => {
  const peer = client();
  let count = 0;
  for await (const result of peer.client.iterate({ query: SAID })) {
    if (typeof result.data.said.text !== "string") throw new Error(JSON.stringify(result));
    if (++count === 3) break;
  }
  same(await run(peer, { query: QUERY }), { results: [{ data: { user: { name: "n1" } } }] });
  await peer.client.dispose();
});
check("client: operations of one socket are interleaved", async () => {
  const peer = client({ lazy: false });
  const said = peer.client.iterate({ query: SAID });
  await said.next();
  same((await run(peer, { query: QUERY })).results.length, 1);
  if ((await said.next()).done) throw new Error("the subscription ended");
  await said.return();
  await peer.client.dispose();
});
for (const [kind, query] of [["validation", "{ nothing }"], ["syntax", "{"], ["unknown operation", "query A { __typename }"]]) {
  check(`client: a ${kind} error is an error message`, async () => {
    const peer = client();
    const payload = kind === "unknown operation" ? { query, operationName: "B" } : { query };
    const { results, error } = await run(peer, payload);
    same(results, []);
    if (!Array.isArray(error) || typeof error[0]?.message !== "string") throw new Error(`not a list: ${error}`);
    await peer.client.dispose();
  });
}
check("client: an error of variables is an error message", async () => {
  const peer = client();
  const query = "query ($id: ID!) { user(id: $id) { name } }";
  const { results, error } = await run(peer, { query, variables: {} });
  same([results, Array.isArray(error)], [[], true]);
  await peer.client.dispose();
});
check("client: its close is answered with a close", async () => {
  const peer = client({ lazy: false });
  await run(peer, { query: QUERY });
  await peer.client.dispose();
  const { code, wasClean } = await peer.closed;
  same({ code, wasClean }, { code: 1000, wasClean: true });
});
check("client: a lazy client's close after its operation is answered", async () => {
  const peer = client();
  await run(peer, { query: QUERY });
  const { code, wasClean } = await peer.closed;
  same({ code, wasClean }, { code: 1000, wasClean: true });
});
check("client: its pings are answered", async () => {
  const pong = deferred();
  const peer = client({ lazy: false, keepAlive: 50, on: { pong: (received) => received && pong.resolve() } });
  await pong.promise;
  await peer.client.dispose();
});
check("client: parameters of the connection", async () => {
  const peer = client({ connectionParams: { anything: { at: ["all"] } } });
  same((await run(peer, { query: QUERY })).results.length, 1);
  await peer.client.dispose();
});
check("client: a fatal close is reported with its code", async () => {
  const peer = client({ lazy: false, connectionParams: () => new Promise(() => {}), connectionAckWaitTimeout: 0, onNonLazyError: () => {} });
  same((await peer.closed).code, 4408);
});

// Close frames

for (const code of [1000, 1001, 3000, 4000, 4999]) {
  check(`close: ${code} is answered with ${code}`, async () => {
    const peer = await Peer.begun();
    peer.ws.close(code, "bye");
    await peer.closes(code);
  });
}
check("close: without a code it is answered", async () => {
  const peer = await Peer.open();
  peer.ws.close();
  await peer.closes(1005);
});
check("close: with an operation that runs it is answered", async () => {
  const peer = await Peer.begun();
  peer.subscribe("a", SAID);
  await peer.message();
  peer.ws.close(1000);
  await peer.closes(1000);
});

// Sub-protocols

for (const protocol of ["mqtt", undefined]) {
  check(`upgrade: ${protocol ?? "no sub-protocol"} is refused`, async () => {
    const peer = new Peer(protocol ?? []);
    await peer.opened.then(
      () => Promise.reject(new Error("it was opened")),
      (error) => {
        if (!error.message.endsWith("400")) throw error;
      },
    );
  });
}
check("upgrade: of several sub-protocols one is selected", async () => {
  const peer = await Peer.open(["mqtt", OLD, NEW]);
  same(peer.ws.protocol, NEW, "the sub-protocol");
  peer.ws.terminate();
});

// ConnectionInit

for (const message of [
  { type: "connection_init" },
  { type: "connection_init", payload: null },
  { type: "connection_init", payload: {} },
  { type: "connection_init", payload: { a: [1, { b: null }] }, more: 1 },
]) {
  check(`init: ${JSON.stringify(message)} is acknowledged`, async () => {
    const peer = await Peer.open();
    peer.send(message);
    same(await peer.message(), { type: "connection_ack" });
    peer.ws.terminate();
  });
}
for (const payload of ["text", "", 1, 0, true, false, [], [1]]) {
  check(`init: a payload ${JSON.stringify(payload)} is invalid`, async () => {
    const peer = await Peer.open();
    peer.send({ type: "connection_init", payload });
    await peer.closes(4400);
  });
}
check("init: none in time is 4408", async () => {
  await (await Peer.open()).closes(4408, "Connection initialisation timeout");
});
check("init: signs of life do not stand in for it", async () => {
  const peer = await Peer.open();
  const pings = setInterval(() => peer.send({ type: "ping" }), 100);
  await peer.closes(4408).finally(() => clearInterval(pings));
});
check("init: twice is 4429", async () => {
  const peer = await Peer.begun();
  peer.send({ type: "connection_init" });
  await peer.closes(4429, "Too many initialisation requests");
});
check("init: twice at once is 4429", async () => {
  const peer = await Peer.open();
  for (let n = 0; n < 2; n++) peer.send({ type: "connection_init" });
  await peer.closes(4429);
});

// Ping and pong

for (const payload of [undefined, null, {}, { a: [1.5, "\u{1F600}", null] }]) {
  check(`ping: a payload ${JSON.stringify(payload)} comes back, before and after the beginning`, async () => {
    const expected = payload ? { type: "pong", payload } : { type: "pong" };
    for (const made of [Peer.open, Peer.begun]) {
      const peer = await made();
      peer.send({ type: "ping", payload });
      same(await peer.message(), expected);
      peer.ws.terminate();
    }
  });
}
check("ping: while an operation runs", async () => {
  const peer = await Peer.begun();
  peer.subscribe("a", SAID);
  await peer.message();
  peer.send({ type: "ping" });
  for (;;) if ((await peer.message()).type === "pong") break;
  peer.ws.terminate();
});
check("pong: unsolicited ones are heard in silence", async () => {
  const peer = await Peer.open();
  peer.send({ type: "pong" });
  peer.send({ type: "pong", payload: { a: 1 } });
  peer.send({ type: "pong", payload: null });
  await peer.silent();
  peer.ws.terminate();
});
for (const type of ["ping", "pong"]) {
  for (const payload of [1, "a", [], false]) {
    check(`${type}: a payload ${JSON.stringify(payload)} is invalid`, async () => {
      const peer = await Peer.open();
      peer.send({ type, payload });
      await peer.closes(4400);
    });
  }
}
check("frames: a ping of the socket has its payload in the pong", async () => {
  const peer = await Peer.open();
  peer.ws.ping("here?");
  same(await peer.event(), { pong: "here?" });
  peer.ws.pong("unsolicited");
  await peer.silent();
  peer.ws.terminate();
});

// Subscribe, Next, Error, Complete

check("subscribe: before the acknowledgement it is 4401", async () => {
  const peer = await Peer.open();
  peer.subscribe("a", QUERY);
  await peer.closes(4401, "Unauthorized");
});
check("subscribe: a result is next, then complete", async () => {
  const peer = await Peer.begun();
  peer.subscribe("a", QUERY);
  same(await peer.message(), { type: "next", id: "a", payload: { data: { user: { name: "n1" } } } });
  same(await peer.message(), { type: "complete", id: "a" });
  await peer.silent();
  peer.ws.terminate();
});
check("subscribe: messages are text frames", async () => {
  const peer = await Peer.begun();
  peer.subscribe("a", QUERY);
  const { isBinary } = await peer.event();
  same(isBinary, false, "binary");
  peer.ws.terminate();
});
check("subscribe: a binary frame is read, too", async () => {
  const peer = await Peer.begun();
  peer.ws.send(Buffer.from(JSON.stringify({ type: "subscribe", id: "a", payload: { query: QUERY } })));
  same((await peer.message()).type, "next");
  peer.ws.terminate();
});
check("subscribe: a message in fragments is read, pings in between are answered", async () => {
  const peer = await Peer.begun();
  const text = JSON.stringify({ type: "subscribe", id: "a", payload: { query: QUERY } });
  for (const char of text) peer.ws.send(char, { fin: false });
  peer.ws.ping("between");
  peer.ws.send("", { fin: true });
  same(await peer.event(), { pong: "between" });
  same((await peer.message()).type, "next");
  peer.ws.terminate();
});
check("subscribe: any text but the empty one is an id, and comes back", async () => {
  const peer = await Peer.begun();
  for (const id of ["0", "a\"\\\n\u0000", "\u{1F600}", " ", "x".repeat(1000), "__proto__", "constructor"]) {
    peer.subscribe(id, QUERY);
    same((await peer.message()).id, id, "the id");
    same(await peer.message(), { type: "complete", id });
  }
  peer.ws.terminate();
});
check("subscribe: null stands for an absent member", async () => {
  const peer = await Peer.begun();
  peer.subscribe("a", QUERY, { operationName: null, variables: null, extensions: null });
  same((await peer.message()).type, "next");
  peer.ws.terminate();
});
check("subscribe: under the id of an operation that runs it is 4409", async () => {
  const peer = await Peer.begun();
  peer.subscribe("a", SAID);
  await peer.message();
  peer.subscribe("a", QUERY);
  await peer.closes(4409, "Subscriber for a already exists");
});
check("subscribe: an id is free after complete of the gateway", async () => {
  const peer = await Peer.begun();
  for (let n = 0; n < 3; n++) {
    peer.subscribe("a", QUERY);
    same((await peer.message()).type, "next");
    same((await peer.message()).type, "complete");
  }
  peer.ws.terminate();
});
check("subscribe: an id is free after error", async () => {
  const peer = await Peer.begun();
  for (let n = 0; n < 3; n++) {
    peer.subscribe("a", "{ nothing }");
    same((await peer.message()).type, "error");
  }
  peer.ws.terminate();
});
check("subscribe: an id is free after complete of the client", async () => {
  const peer = await Peer.begun();
  peer.subscribe("a", SAID);
  await peer.message();
  peer.send({ type: "complete", id: "a" });
  peer.subscribe("a", QUERY);
  for (;;) {
    const { type, payload } = await peer.message();
    if (type === "complete") break;
    if (type !== "next") throw new Error(type);
    if (payload.data.user) same(payload.data.user.name, "n1");
  }
  await peer.silent();
  peer.ws.terminate();
});
for (const [kind, query] of [["validation", "{ nothing }"], ["syntax", "{ user("], ["empty", ""], ["without operations", "fragment A on Query { __typename }"]]) {
  check(`error: a document with a mistake (${kind}) has no next and no complete`, async () => {
    const peer = await Peer.begun();
    peer.subscribe("a", query);
    const { type, id, payload } = await peer.message();
    same([type, id, Array.isArray(payload), payload.length > 0], ["error", "a", true, true]);
    same(payload.every((error) => typeof error.message === "string"), true, "messages");
    await peer.silent();
    peer.ws.terminate();
  });
}
check("error: a subscription with a mistake, too", async () => {
  const peer = await Peer.begun();
  peer.subscribe("a", "subscription { said { lost } }");
  same((await peer.message()).type, "error");
  await peer.silent();
  peer.ws.terminate();
});
check("error: one operation too many on a socket", async () => {
  const peer = await Peer.begun();
  for (const id of ["a", "b", "c", "d"]) peer.subscribe(id, SAID);
  for (;;) {
    const { type, id, payload } = await peer.message();
    if (type === "next") continue;
    same([type, id, payload[0].extensions.code], ["error", "d", "OVERLOADED"]);
    break;
  }
  peer.ws.terminate();
});
check("error: a hash that is not known", async () => {
  const peer = await Peer.begun();
  const extensions = { persistedQuery: { version: 1, sha256Hash: "0".repeat(64) } };
  peer.send({ type: "subscribe", id: "a", payload: { extensions } });
  same((await peer.message()).type, "error");
  peer.send({ type: "subscribe", id: "b", payload: { documentId: "unknown" } });
  same((await peer.message()).type, "error");
  peer.ws.terminate();
});
check("complete: nothing more comes under its id, no complete either", async () => {
  const peer = await Peer.begun();
  peer.subscribe("a", SAID);
  await peer.message();
  peer.send({ type: "complete", id: "a" });
  peer.send({ type: "ping", payload: { after: true } });
  for (;;) {
    const { type } = await peer.message();
    if (type === "pong") break;
    same(type, "next");
  }
  peer.subscribe("b", SAID);
  for (let n = 0; n < 3; n++) same((await peer.message()).id, "b", "the id");
  peer.ws.terminate();
});
check("complete: of a query that is not answered yet", async () => {
  const peer = await Peer.begun();
  peer.subscribe("a", QUERY);
  peer.send({ type: "complete", id: "a" });
  peer.send({ type: "ping" });
  const kinds = [];
  while (kinds.at(-1) !== "pong") kinds.push((await peer.message()).type);
  await peer.silent();
  peer.ws.terminate();
});
check("complete: unknown ids are ignored", async () => {
  const peer = await Peer.begun();
  for (const id of ["a", "b", "a"]) peer.send({ type: "complete", id });
  peer.subscribe("c", QUERY);
  await peer.message();
  await peer.message();
  peer.send({ type: "complete", id: "c" });
  await peer.silent();
  peer.ws.terminate();
});

// Invalid messages

const payload = { query: QUERY };
for (const [name, message] of [
  ["no JSON", "{"],
  ["an empty text", ""],
  ["not an object", "[]"],
  ["null", "null"],
  ["a text", '"ping"'],
  ["a list of members", '["ping",null,null]'],
  ["no type", {}],
  ["a type that is no text", { type: 1 }],
  ["an unknown type", { type: "shout" }],
  ["a type in capitals", { type: "PING" }],
  ["a message of the server: connection_ack", { type: "connection_ack" }],
  ["a message of the server: next", { type: "next", id: "a", payload: {} }],
  ["a message of the server: error", { type: "error", id: "a", payload: [] }],
  ["a message of the older protocol: start", { type: "start", id: "a", payload }],
  ["a message of the older protocol: stop", { type: "stop", id: "a" }],
  ["a message of the older protocol: connection_terminate", { type: "connection_terminate" }],
  ["subscribe without id", { type: "subscribe", payload }],
  ["subscribe with an empty id", { type: "subscribe", id: "", payload }],
  ["subscribe with a number as id", { type: "subscribe", id: 1, payload }],
  ["subscribe with null as id", { type: "subscribe", id: null, payload }],
  ["subscribe without payload", { type: "subscribe", id: "a" }],
  ["subscribe with a list as payload", { type: "subscribe", id: "a", payload: [] }],
  ["subscribe without a document", { type: "subscribe", id: "a", payload: {} }],
  ["subscribe with null as query", { type: "subscribe", id: "a", payload: { query: null } }],
  ["subscribe with a number as query", { type: "subscribe", id: "a", payload: { query: 1 } }],
  ["subscribe with variables of the wrong type", { type: "subscribe", id: "a", payload: { ...payload, variables: [] } }],
  ["subscribe with an operation name of the wrong type", { type: "subscribe", id: "a", payload: { ...payload, operationName: 1 } }],
  ["subscribe with extensions of the wrong type", { type: "subscribe", id: "a", payload: { ...payload, extensions: "a" } }],
  ["complete without id", { type: "complete" }],
  ["complete with an empty id", { type: "complete", id: "" }],
  ["complete with a number as id", { type: "complete", id: 1 }],
]) {
  check(`invalid: ${name} is 4400, with a reason`, async () => {
    const peer = await Peer.begun();
    peer.send(message);
    await peer.closes(4400);
    same((await peer.closed).reason.length > 0, true, "a reason");
  });
}
check("invalid: other operations end with it", async () => {
  const peer = await Peer.begun();
  peer.subscribe("a", SAID);
  await peer.message();
  peer.send({ type: "shout" });
  await peer.closes(4400);
});

// Frames

// A frame as it is, masked with zeros.
const raw = (first, data) => {
  const bytes = Buffer.from(data);
  const head = bytes.length < 126 ? [first, 0x80 | bytes.length] : [first, 0x80 | 126, bytes.length >> 8, bytes.length & 255];
  return Buffer.concat([Buffer.from([...head, 0, 0, 0, 0]), bytes]);
};
for (const [name, code, ...frames] of [
  ["a text that is not UTF-8", 1007, raw(0x81, [0x7b, 0xff, 0x7d])],
  ["a text that is not UTF-8 over its fragments", 1007, raw(0x01, [0x22, 0xc3]), raw(0x80, [0x22])],
  ["a lone surrogate", 1007, raw(0x81, [0xed, 0xa0, 0x80])],
  ["a reason that is not UTF-8", 1007, raw(0x88, [0x03, 0xe8, 0xff])],
  ["a frame without a mask", 1002, Buffer.from([0x81, 0x00])],
  ["a reserved bit", 1002, raw(0xc1, "{}")],
  ["an unknown opcode", 1002, raw(0x83, "{}")],
  ["a ping in fragments", 1002, raw(0x09, "a")],
  ["a ping of 126 bytes", 1002, raw(0x89, "x".repeat(126))],
  ["a fragment of nothing", 1002, raw(0x80, "a")],
  ["a message within another one", 1002, raw(0x01, "a"), raw(0x81, "b")],
  ["a close frame with half a code", 1002, raw(0x88, [3])],
  ["a close frame with a code that is never sent", 1002, raw(0x88, [0x03, 0xed])],
]) {
  check(`frames: ${name} is ${code}`, async () => {
    const peer = await Peer.begun();
    for (const frame of frames) peer.ws._socket.write(frame);
    await peer.closes(code);
  });
}
check("frames: a message past the limit is 1009", async () => {
  const peer = await Peer.begun();
  peer.subscribe("a", "#".repeat(70_000));
  await peer.closes(1009);
});
check("frames: a message past the limit in fragments is 1009", async () => {
  const peer = await Peer.begun();
  for (let n = 0; n < 10; n++) peer.ws.send("#".repeat(10_000), { fin: false });
  await peer.closes(1009);
});
check("frames: a message far past the limit is 1009, though it is never read", async () => {
  const peer = await Peer.begun();
  peer.send("#".repeat(8 << 20));
  await peer.closes(1009);
});
check("frames: a message at the limit is read", async () => {
  const peer = await Peer.begun();
  peer.send({ type: "ping", payload: { a: "#".repeat(60_000) } });
  same((await peer.message()).type, "pong");
  peer.ws.terminate();
});

// The older protocol

check("older: a query is data, then complete", async () => {
  const peer = await Peer.begun(OLD);
  peer.send({ type: "start", id: "a", payload });
  same(await peer.message(), { type: "data", id: "a", payload: { data: { user: { name: "n1" } } } });
  same(await peer.message(), { type: "complete", id: "a" });
  peer.ws.terminate();
});
check("older: a mistake is error, with one error", async () => {
  const peer = await Peer.begun(OLD);
  for (const query of ["{ nothing }", "{", "{ a b }"]) {
    peer.send({ type: "start", id: "a", payload: { query } });
    const { type, id, payload } = await peer.message();
    same([type, id, typeof payload.message], ["error", "a", "string"]);
  }
  peer.ws.terminate();
});
check("older: stop ends a subscription", async () => {
  const peer = await Peer.begun(OLD);
  peer.send({ type: "start", id: "a", payload: { query: SAID } });
  same((await peer.message()).type, "data");
  peer.send({ type: "stop", id: "a" });
  for (;;) if ((await peer.message()).type === "complete") break;
  peer.ws.terminate();
});
check("older: connection_terminate closes", async () => {
  const peer = await Peer.begun(OLD);
  peer.send({ type: "connection_terminate" });
  await peer.closes(1000);
});
check("older: its close is answered with a close", async () => {
  const peer = await Peer.begun(OLD);
  peer.ws.close(1000);
  await peer.closes(1000);
});

async function tried({ name, run }) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error("no answer in time")), PATIENCE);
  });
  try {
    await Promise.race([run(), late]);
    console.log(`ok ${name}`);
    return 0;
  } catch (error) {
    console.log(`FAILED ${name}: ${error.message}`);
    return 1;
  } finally {
    clearTimeout(timer);
  }
}

const failed = (await Promise.all(checks.map(tried))).reduce((sum, one) => sum + one, 0);
console.log(`${checks.length - failed} passed, ${failed} failed`);
process.exit(failed ? 1 : 0);
