// The Worker's entry: wasm-bindgen's module, and what happens when Wasm traps.
//
// A panic in Rust ends in a trap, which leaves the instance in an unknown state:
// memory half written, cells borrowed for ever. So the instance is given up, and
// wasm-bindgen's guard begins a new one with the next call. What the old one
// remembered (counters, turns, the site's manifest) is begun again.
//
// Nothing would settle the promises of requests that the old instance had in hand:
// the runtime would let them hang for a while, then cancel them. They are answered
// here, at once.
import { DurableObject } from "cloudflare:workers";
import * as edge from "./index.js";

// A resolver for each call that the instance has in hand.
const inHand = new Set();
const GIVEN_UP = Symbol("given up");

// What comes of a call, or GIVEN_UP where the instance was meanwhile.
async function unlessGivenUp(call) {
  const { promise: givenUp, resolve } = Promise.withResolvers();
  const giveUp = () => resolve(GIVEN_UP);
  inHand.add(giveUp);
  try {
    return await Promise.race([call(), givenUp]);
  } finally {
    inHand.delete(giveUp);
  }
}

function isTrap(error) {
  // V8 reports a stack overflow inside Wasm as a RangeError.
  return error instanceof WebAssembly.RuntimeError || error instanceof RangeError;
}

// How wasm-bindgen refuses an object of an instance that was given up.
function isStale(error) {
  return error instanceof Error && error.message.startsWith("Invalid stale object");
}

// After a trap: a new instance begins at once, before a closure of the old one is called
// that would take it for its own, and all that the old one had in hand is given up.
function giveUpAll() {
  edge.renew();
  for (const giveUp of inHand) giveUp();
}

// Asynchronous Rust is run by microtasks, which have no caller to tell of a trap: it
// surfaces as an uncaught error of the isolate.
addEventListener("error", ({ error }) => {
  if (isTrap(error)) giveUpAll();
});

// Answers for a call that has trapped.
function failed(error) {
  if (!isTrap(error)) throw error;
  giveUpAll();
  return crashed();
}

// Made by each request for itself: a Response belongs to the request that made it.
function crashed() {
  const problem = {
    type: "/problems/internal",
    title: "Internal error",
    status: 500,
    detail: "The edge could not answer; its log says why. Trying again may help.",
  };
  return new Response(JSON.stringify(problem), {
    status: 500,
    headers: { "content-type": "application/problem+json", "cache-control": "no-store" },
  });
}

// A Durable Object whose state in memory is Rust's. It goes with the instance it lives
// in: then it is made anew, from what it wrote down.
function durable(name) {
  return class extends DurableObject {
    #inner;

    fetch(request) {
      return this.#guarded((inner) => inner.fetch(request));
    }

    // Tried again by the runtime where it fails.
    async alarm() {
      await this.#guarded((inner) => inner.alarm());
    }

    async #guarded(call) {
      try {
        const answer = await unlessGivenUp(() => this.#call(call));
        if (answer !== GIVEN_UP) return answer;
        this.#inner = undefined;
        throw new Error(`${name} crashed`);
      } catch (error) {
        if (isTrap(error)) {
          this.#inner = undefined;
          giveUpAll();
        }
        throw error;
      }
    }

    async #call(call) {
      this.#inner ??= new edge[name](this.ctx, this.env);
      try {
        return await call(this.#inner);
      } catch (error) {
        // Of an instance that was given up there is nothing left to call.
        if (!isStale(error)) throw error;
        this.#inner = new edge[name](this.ctx, this.env);
        return call(this.#inner);
      }
    }
  };
}

export const Control = durable("Control");
export const Collapse = durable("Collapse");

const LATE = Symbol("late");

// What the Cache API has under a URL; nothing where that can't be read, which the
// Worker's own look then says.
async function read(url) {
  const found = await caches.default.match(url);
  return found && new Uint8Array(await found.arrayBuffer());
}

async function within(ms, work) {
  let timer;
  const late = new Promise((resolve) => {
    timer = setTimeout(resolve, ms, LATE);
  });
  try {
    return await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}

// A hit from the Cache API: of the whole way to it, waiting is JavaScript's part.
async function nearby({ url, mark, waitMax }, request, env, context) {
  const begun = Date.now();
  let value;
  try {
    value = await within(waitMax, read(url));
  } catch {
    return answer(request, env, context, false);
  }
  try {
    if (value === LATE) edge.slow_nearby();
    else if (value) {
      const hit = edge.hit_nearby(request, value, mark, Date.now() - begun);
      // What isn't to be used is read once more, for it may be of use all the same.
      return hit ?? answer(request, env, context, false);
    }
  } catch (error) {
    return failed(error);
  }
  return answer(request, env, context, true);
}

async function answer(request, env, context, wasLookedFor) {
  try {
    const answer = await unlessGivenUp(() => edge.fetch(request, env, context, wasLookedFor));
    return answer === GIVEN_UP ? crashed() : answer;
  } catch (error) {
    return failed(error);
  }
}

// Not a class: of that the runtime makes an instance for each request, which costs as
// much as all that is decided about a hit.
export default {
  fetch(request, env, context) {
    // A hit from memory waits for nothing, so it is spared the promises.
    let hit;
    try {
      hit = edge.hit(request);
    } catch (error) {
      return failed(error);
    }
    if (hit instanceof Response) return hit;
    return hit ? nearby(hit, request, env, context) : answer(request, env, context, false);
  },
};
