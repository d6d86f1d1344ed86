// A stand-in for the gateway: the built playground, its settings, and a small schema that graphql-js answers.
import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { join } from 'node:path';
import { buildSchema, graphql, parse, subscribe } from 'graphql';

const DIST = join(import.meta.dirname, '..', 'dist');
const CSP =
  "default-src 'self'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; " +
  "font-src 'self' data:; worker-src 'self' blob:; connect-src 'self'";

const schema = buildSchema(`
  "Where every question starts."
  type Query { user(id: ID!): User me: User }
  type User { id: ID! name: String! orders(first: Int! = 10): [Order!]! }
  type Order { id: ID! total: Int! }
  input PlaceOrder { userId: ID! lines: [Line!]! }
  input Line { productId: ID! quantity: Int! }
  type Mutation { placeOrder(input: PlaceOrder!): Order }
  type Subscription { notificationAdded(userId: ID!): Notification! }
  type Notification { text: String! }
`);
const rootValue = {
  user: ({ id }) => ({ id, name: 'Ada', orders: ({ first }) => orders.slice(0, first) }),
  me: (_arguments, { authorization }) =>
    authorization === `Bearer ${token}` ? { id: '1', name: 'Ada', orders: [] } : null,
  placeOrder: () => {
    for (const tell of listeners) tell('Thank you for order o4');
    listeners.clear();
    return { id: 'o4', total: 400 };
  },
  notificationAdded,
};
const listeners = new Set();
function notificationAdded() {
  const told = new Promise((tell) => listeners.add(tell));
  return (async function* () {
    yield { notificationAdded: { text: await told } };
  })();
}
const orders = [1, 2, 3].map((n) => ({ id: `o${n}`, total: n * 100 }));

/** Whom the stand-in knows. */
export const token = 'a.good-token.x_y';

export const defaultQuery = 'query Dashboard {\n  user(id: "1") {\n    name\n    orders(first: 2) {\n      total\n    }\n  }\n}\n';

const files = {
  '/': ['index.html', 'text/html; charset=utf-8'],
  '/playground/playground.js': ['playground.js', 'text/javascript; charset=utf-8'],
  '/playground/playground.css': ['playground.css', 'text/css; charset=utf-8'],
};

async function answer(request, reply) {
  const path = new URL(request.url, 'http://gateway').pathname;
  if (files[path]) {
    const [name, type] = files[path];
    reply.writeHead(200, { 'content-type': type, 'content-security-policy': CSP });
    reply.end(readFileSync(join(DIST, name)));
  } else if (path === '/playground/settings.json') {
    reply.writeHead(200, { 'content-type': 'application/json' });
    reply.end(JSON.stringify({ endpoint: '/graphql', defaultQuery }));
  } else if (path === '/graphql' && request.method === 'POST') {
    const { query: source, variables, operationName } = JSON.parse(await text(request));
    if (request.headers.accept === 'text/event-stream') return stream(source, variables, reply);
    const result = await graphql({
      schema, source, rootValue, variableValues: variables, operationName,
      contextValue: { authorization: request.headers.authorization },
    });
    reply.writeHead(200, { 'content-type': 'application/json' });
    reply.end(JSON.stringify(result));
  } else {
    reply.writeHead(404).end();
  }
}

/** As one event after another; like the gateway's, it goes on until the client leaves. */
async function stream(source, variableValues, reply) {
  const results = await subscribe({ schema, document: parse(source), rootValue, variableValues });
  reply.writeHead(200, { 'content-type': 'text/event-stream; charset=utf-8' });
  reply.write(':\n\n');
  for await (const result of results) {
    reply.write(`event: next\ndata: ${JSON.stringify(result)}\n\n`);
  }
}

async function text(request) {
  const chunks = [];
  for await (const chunk of request) chunks.push(chunk);
  return Buffer.concat(chunks).toString('utf8');
}

/** Listens on a free loopback port. */
export async function startGateway() {
  const server = createServer(answer);
  await new Promise((ready) => server.listen(0, '127.0.0.1', ready));
  return { url: `http://127.0.0.1:${server.address().port}/`, stop: () => server.close() };
}
