// The peer `graphile-worker` of npm, set as the page "Performance" of its
// documentation has it for its own figures: 24 jobs at the same time, a local
// queue of 500, and completions sent together. Without crontab, and without its
// log, which has a line for each job.

import { load, serve } from "./queue.mjs";

const SETTINGS = {
  concurrentJobs: 24,
  maxPoolSize: 25,
  localQueue: { size: 500 },
  completeJobBatchDelay: 0,
  failJobBatchDelay: 0,
};

await serve(async ({ url }) => {
  const { Logger, makeWorkerUtils, run } = await load("graphile-worker");
  const { default: pg } = await load("pg");
  const pgPool = new pg.Pool({ connectionString: url, max: SETTINGS.maxPoolSize });
  // A connection that breaks while nobody uses it fails the next request instead.
  pgPool.on("error", () => {});
  pgPool.on("connect", (client) => client.on("error", () => {}));
  const logger = new Logger(() => () => {});
  const utils = await makeWorkerUtils({ pgPool, logger });
  await utils.migrate();
  return {
    batch: 5_000,
    enqueue: (numbers) =>
      utils.addJobs(numbers.map((number) => ({ identifier: "noop", payload: { number } }))),
    enqueueOne: (number) => utils.addJob("noop", { number }),
    async start(begun) {
      const runner = await run({
        pgPool,
        logger,
        noHandleSignals: true,
        parsedCronItems: [],
        preset: { worker: SETTINGS },
        taskList: { noop: ({ number }) => begun(number) },
      });
      return () => runner.stop();
    },
  };
});
