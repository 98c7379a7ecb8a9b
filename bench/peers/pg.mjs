// The peer `pg` of npm under the load of bench/src/load.rs: as many tasks, each
// of which sends its next request as soon as the last one was answered, on a
// pool with as many connections, with a statement prepared once for each.
//
// A line of JSON in, a line of JSON out:
//   {"sql":…,"tasks":64,"connections":20,"products":10000}  ->  "ready"
//   {"seconds":2}  ->  {"round":{"requests":…,"seconds":…,"waited_seconds":…}}
// What goes wrong is {"error":"…"}. It ends with its input.

import { createInterface } from "node:readline";

const say = (answer, then) => process.stdout.write(`${JSON.stringify(answer)}\n`, then);

async function prepare({ sql, tasks, connections, products }) {
  // Here, so that a package that isn't installed is told like any other error.
  const { default: pg } = await import("pg").catch((error) => {
    throw error.code === "ERR_MODULE_NOT_FOUND" ? new Error("its npm package is not installed") : error;
  });
  const pool = new pg.Pool({ connectionString: process.env.DATABASE_URL, max: connections });
  // A connection that breaks while nobody uses it fails the next request instead.
  pool.on("error", () => {});

  // bench/src/pool/product.rs asks for the same.
  const productOf = (task, turn) => 1 + ((task * 157 + (turn % products) * 7919) % products);

  const request = async (task, turn) => {
    const id = productOf(task, turn);
    const { rows } = await pool.query({ name: "product", text: sql, values: [id] });
    // A bigint comes as text.
    if (rows.length !== 1 || Number(rows[0].id) !== id) throw new Error(`product ${id} was not answered`);
  };
  await request(0, 0);

  return async ({ seconds }) => {
    const begun = performance.now();
    const end = begun + seconds * 1000;
    let requests = 0;
    let waited = 0;
    const work = async (task) => {
      let turn = 0;
      do {
        const sent = performance.now();
        await request(task, turn++);
        waited += performance.now() - sent;
        requests++;
      } while (performance.now() < end);
    };
    await Promise.all(Array.from({ length: tasks }, (_, task) => work(task)));
    const elapsed = performance.now() - begun;
    return { round: { requests, seconds: elapsed / 1000, waited_seconds: waited / 1000 } };
  };
}

let round;
try {
  for await (const line of createInterface({ input: process.stdin })) {
    const question = JSON.parse(line);
    if (round) {
      say(await round(question));
    } else {
      round = await prepare(question);
      say("ready");
    }
  }
  process.exit(0);
} catch (error) {
  // The other tasks may still be at work.
  say({ error: error.message || error.code || String(error) }, () => process.exit(1));
}
