// The peer: a cache in plain JavaScript, as little as it can be. It looks at the same
// fields of a request, and answers with the same bytes and fields as Tidewall's hit,
// all of which it has made ready before. It decides nothing.
//
// LEVEL says where its hits come from: "memory", "cache_api" or "kv".

// What says whether a request may be answered from a store, and with how much.
const FIELDS = [
  "accept", "authorization", "cache-control", "cookie", "if-match", "if-modified-since", "if-none-match",
  "if-range", "if-unmodified-since", "range", "tidewall-bookmark", "upgrade", "x-request-id",
];

const memory = new Map();
let body;
let init;

function prepare(env) {
  body = new TextEncoder().encode(env.BODY);
  init = { status: 200, headers: new Headers(env.FIELDS) };
}

function told(request) {
  let told = 0;
  for (const name of FIELDS) {
    if (request.headers.get(name) !== null) told += 1;
  }
  return told;
}

async function fromCacheApi(key, context) {
  const found = await caches.default.match(key);
  if (found !== undefined) return found;
  const response = new Response(body, init);
  const kept = response.clone();
  kept.headers.set("cache-control", "max-age=86400");
  context.waitUntil(caches.default.put(key, kept));
  return response;
}

async function fromKv(key, env, context) {
  const found = await caches.default.match(key);
  if (found !== undefined) return found;
  const value = await env.CACHE.get(key, "arrayBuffer");
  if (value === null) {
    context.waitUntil(env.CACHE.put(key, body, { expirationTtl: 86400 }));
    return new Response(body, init);
  }
  const response = new Response(value, init);
  const kept = new Response(value, init);
  kept.headers.set("cache-control", "max-age=86400");
  context.waitUntil(caches.default.put(key, kept));
  return response;
}

export default {
  async fetch(request, env, context) {
    if (body === undefined) prepare(env);
    const key = request.url;
    if (request.method !== "GET" || told(request) === FIELDS.length) return new Response(null, { status: 400 });
    switch (env.LEVEL) {
      case "memory": {
        const found = memory.get(key);
        if (found !== undefined) return new Response(found.body, found.init);
        memory.set(key, { body, init });
        return new Response(body, init);
      }
      case "cache_api":
        return fromCacheApi(key, context);
      default:
        return fromKv(key, env, context);
    }
  },
};
