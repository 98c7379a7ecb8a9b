// What the queues of npm share: they do what bench/src/queue/contestant.rs asks
// of each, as bench/src/queue/library.rs does for those in Rust.
//
// A line of JSON in, a line of JSON out; bench/src/queue/node.rs has them all:
//   {"connect":{"connections":20}}  ->  "done"
//   {"enqueue":{"jobs":20000}}      ->  "done"
//   {"enqueue_singly":{"seconds":2,"connections":20}}  ->  {"counted":{"jobs":…,"seconds":…}}
//   {"work":{"jobs":20000}}         ->  "done", once handlers were called so often
//   {"stop":{}}                     ->  "done"
//   {"flow":{"lead_seconds":1,"seconds":2,"producers":8,"batch":10,"pace":{"rate":5000}}}
//                                   ->  {"flowed":{"jobs":…,"seconds":…,"p50_ms":…,"p99_ms":…}}
// What goes wrong is {"error":"…"}. It ends with its input.
//
// A queue is given as a function from {url, connections} to
//   {batch, enqueue(numbers), enqueueOne(number), start(begun, {isPrompt})}
// where a job's payload is its number, `begun(number)` is to be called by its
// handler, `isPrompt` says that jobs come while the workers run, and `start` gives
// what stops them.

import { createInterface } from "node:readline";
import { setTimeout as sleep } from "node:timers/promises";

// Longest time in which no handler is called though jobs wait.
const SILENCE_MAX_MS = 20_000;

const say = (answer, then) => process.stdout.write(`${JSON.stringify(answer)}\n`, then);

// Here, so that a package that isn't installed is told like any other error.
export const load = (name) =>
  import(name).catch((error) => {
    throw error.code === "ERR_MODULE_NOT_FOUND" ? new Error("its npm package is not installed") : error;
  });

// Counts calls of handlers; 0 is the number of those that nobody follows.
function tally() {
  const committedAt = [];
  const begunAt = [];
  const told = {
    handled: 0,
    begun(number) {
      if (number > 0) begunAt[number] ??= performance.now();
      told.handled++;
    },
    committed(numbers) {
      const now = performance.now();
      for (const number of numbers) committedAt[number] = now;
    },
    async reach(jobs) {
      let [before, since] = [told.handled, performance.now()];
      while (told.handled < jobs) {
        await sleep(1);
        if (told.handled > before) [before, since] = [told.handled, performance.now()];
        if (performance.now() - since > SILENCE_MAX_MS) {
          throw new Error(`it did ${before} of ${jobs} jobs and then none for ${SILENCE_MAX_MS / 1000} s`);
        }
      }
    },
    waits(since, until) {
      return committedAt.flatMap((at, number) =>
        since <= at && at < until ? [Math.max(0, begunAt[number] - at)] : [],
      );
    },
  };
  return told;
}

const quantile = (sorted, share) => sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)] ?? null;

function answers(queue) {
  let stop;
  return {
    async enqueue({ jobs }) {
      for (let left = jobs; left > 0; left -= queue.batch) {
        await queue.enqueue(new Array(Math.min(left, queue.batch)).fill(0));
      }
      return "done";
    },

    async enqueue_singly({ seconds, connections }) {
      const begun = performance.now();
      const end = begun + seconds * 1000;
      let jobs = 0;
      const add = async () => {
        do {
          await queue.enqueueOne(0);
          jobs++;
        } while (performance.now() < end);
      };
      await Promise.all(Array.from({ length: connections }, add));
      return { counted: { jobs, seconds: (performance.now() - begun) / 1000 } };
    },

    async work({ jobs }) {
      const told = tally();
      stop = await queue.start(told.begun, { isPrompt: false });
      await told.reach(jobs);
      return "done";
    },

    async stop() {
      await stop();
      return "done";
    },

    async flow({ lead_seconds, seconds, producers, batch, pace }) {
      const told = tally();
      stop = await queue.start(told.begun, { isPrompt: true });
      const begun = performance.now();
      const since = begun + lead_seconds * 1000;
      const until = since + seconds * 1000;
      let sent = 0;
      const produce = async (producer) => {
        let due = begun + (batch * producer * 1000) / (pace.rate ?? 1);
        for (;;) {
          if (pace.rate) {
            const early = due - performance.now();
            if (early > 0) await sleep(early);
            due += (batch * producers * 1000) / pace.rate;
          } else {
            while (performance.now() < until && sent - told.handled >= pace.waiting) await sleep(1);
          }
          if (performance.now() >= until) return;
          const first = sent + 1;
          sent += batch;
          const numbers = Array.from({ length: batch }, (_, index) => first + index);
          await queue.enqueue(numbers);
          told.committed(numbers);
        }
      };
      const measure = async () => {
        await sleep(Math.max(0, since - performance.now()));
        const [before, at] = [told.handled, performance.now()];
        await sleep(Math.max(0, until - performance.now()));
        return { jobs: told.handled - before, seconds: (performance.now() - at) / 1000 };
      };
      const producing = Array.from({ length: producers }, (_, producer) => produce(producer));
      const [handled] = await Promise.all([measure(), ...producing]);
      // What waits the longest is not left out.
      await told.reach(sent);
      await stop();
      const waits = told.waits(since, until).sort((a, b) => a - b);
      return { flowed: { ...handled, p50_ms: quantile(waits, 0.5), p99_ms: quantile(waits, 0.99) } };
    },
  };
}

export async function serve(connect) {
  try {
    let answer;
    for await (const line of createInterface({ input: process.stdin })) {
      const [[what, question]] = Object.entries(JSON.parse(line));
      if (what === "connect") {
        answer = answers(await connect({ url: process.env.DATABASE_URL, ...question }));
        say("done");
      } else {
        say(await answer[what](question));
      }
    }
    process.exit(0);
  } catch (error) {
    // Others may still be at work.
    say({ error: error.message || error.code || String(error) }, () => process.exit(1));
  }
}
