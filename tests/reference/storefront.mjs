// The storefront's graph over its own services: one resolver per field, no batching.
//
// Addresses come from the same environment variables as the gateway's. Calls are cached for the life of the process: the
// services' data does not change while operations are compared.

import { readFileSync, readdirSync } from "node:fs";
import { Agent, get } from "node:http";
import { join } from "node:path";
import { credentials, loadPackageDefinition, status } from "@grpc/grpc-js";
import { loadSync } from "@grpc/proto-loader";
import { apiSchema } from "./schema.mjs";

const folder = process.env.STOREFRONT;
const files = readdirSync(folder).filter((name) => name.endsWith(".graphql"));
export const schema = apiSchema(files.map((name) => readFileSync(join(folder, name), "utf8")).join("\n"));

// ── The services

const agent = new Agent({ keepAlive: true, maxSockets: 16 });
const calls = new Map();

function once(key, call) {
  if (!calls.has(key)) calls.set(key, call());
  return calls.get(key);
}

/** The JSON of a GET; null where it is not found. */
function rest(service, target) {
  const url = process.env[service] + target;
  return once(url, () => new Promise((resolve, reject) => {
    get(url, { agent }, (reply) => {
      const parts = [];
      reply.on("data", (part) => parts.push(part));
      reply.on("error", reject);
      reply.on("end", () => {
        if (reply.statusCode === 404) resolve(null);
        else if (reply.statusCode >= 300) reject(new Error(`status ${reply.statusCode}`));
        else resolve(JSON.parse(Buffer.concat(parts).toString()));
      });
    }).on("error", reject);
  }));
}

const proto = loadPackageDefinition(loadSync(join(folder, "products.proto"), {
  keepCase: true, longs: Number, enums: String, defaults: true, arrays: true, oneofs: true,
}));
const products = new proto.shop.products.v1.ProductService(
  process.env.PRODUCTS_URL.replace("http://", ""), credentials.createInsecure(),
);

function grpc(method, message) {
  return once(method + JSON.stringify(message), () => new Promise((resolve, reject) => {
    products[method](message, (error, reply) => {
      if (error?.code === status.NOT_FOUND) resolve(null);
      else if (error) reject(error);
      else resolve(reply);
    });
  }));
}

/** One segment of a path; what could lead elsewhere is refused. */
function segment(value) {
  if (/^\.{0,2}$/.test(value)) throw new Error("no such segment");
  return encodeURIComponent(value);
}

/** A query string without the parameters that are null. */
function query(parameters) {
  const parts = Object.entries(parameters).filter(([, value]) => value !== undefined && value !== null);
  return parts.map(([name, value]) => `${name}=${encodeURIComponent(value)}`).join("&");
}

// ── From the services' shapes to the graph's

const user = (row) => row && {
  // Operations are compared without a token, and everyone sees their own only.
  email: () => { throw new Error("nobody asks"); },
  id: row.id, name: row.full_name, joinedAt: row.joined_at, points: row.loyalty_points,
  address: row.address && { city: row.address.city, country: row.address.country_code },
  orders: async ({ first }) =>
    (await rest("ORDERS_URL", `/orders?user_ids=${row.id}&per_user=${first}`)).rows.map(order),
  notifications: async ({ first }) =>
    (await rest("NOTIFICATIONS_URL", `/notifications?user_ids=${row.id}&per_user=${first}`)).map(notification),
};

const order = (row) => row && {
  id: row.id, status: row.status, createdAt: row.created_at,
  total: { cents: row.total_cents, currency: row.currency },
  buyer: async () => user(await rest("USERS_URL", `/users/${row.user_id}`)),
  lines: row.items.map((item) => ({
    quantity: item.qty,
    unitPrice: { cents: item.unit_price.cents, currency: item.unit_price.currency },
    product: async () => product(await grpc("GetProduct", { id: item.sku })),
  })),
};

const notification = (row) => row && {
  id: row.id, kind: row.kind, text: row.body, read: row.read, createdAt: row.created_at,
  order: async () => row.subject && order(await rest("ORDERS_URL", `/orders/${row.subject.order_id}`)),
};

const product = (row) => row && {
  id: row.id, name: row.name, description: "_description" in row ? row.description : null,
  price: { cents: row.price_cents, currency: row.currency }, weight: row.weight_grams, tags: row.tags,
  shipping: async ({ country }) => {
    const { quotes } = await rest("ORDERS_URL", `/shipping?${query({ country, grams: row.weight_grams })}`);
    const [quote] = quotes;
    return quote && { days: quote.days, fee: { cents: quote.fee_cents, currency: quote.currency } };
  },
  stock: async () => {
    const { stocks: [found] } = await grpc("CheckStock", { ids: [row.id] });
    return found && {
      status: found.status.replace("STOCK_STATUS_", ""), units: found.units,
      restockAt: "_restock_at" in found ? found.restock_at : null,
    };
  },
};

const root = {
  // Operations are compared without a token.
  me: () => { throw new Error("nobody asks"); },
  user: async ({ id }) => user(await rest("USERS_URL", `/users/${segment(id)}`)),
  users: async (page) => (await rest("USERS_URL", `/users?${query({ first: page.first, after: page.after })}`)).users.map(user),
  order: async ({ id }) => order(await rest("ORDERS_URL", `/orders/${segment(id)}`)),
  notification: async ({ id }) => notification(await rest("NOTIFICATIONS_URL", `/notifications/${segment(id)}`)),
  product: async ({ id }) => product(await grpc("GetProduct", { id })),
  products: async ({ first, after }) => (await grpc("ListProducts", { first, after: after ?? "" })).products.map(product),
  recommendedProducts: async ({ userId, first }) =>
    (await grpc("RecommendProducts", { user_id: userId, count: first })).products.map(product),
};

/** What graphql-js needs to run one operation. */
export const start = () => ({
  rootValue: root,
  typeResolver: () => { throw new Error("the storefront returns no interface"); },
});
