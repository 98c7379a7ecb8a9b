// The peer `pg-boss` of npm: handlers get batches of 500 on two workers, and the
// next batch is fetched at once while batches are full. Jobs that are measured for
// how soon they are picked up are in a queue with NOTIFY, which wakes workers that
// have nothing to do; the others are in one without, since it makes adding them
// slower. Without its cron, which polls for itself.

import { load, serve } from "./queue.mjs";

const WORK = {
  batchSize: 500,
  localConcurrency: 2,
  burstWhenBatchFull: true,
  // The least that it takes.
  pollingIntervalSeconds: 0.5,
  notifyPollingIntervalSeconds: 0.5,
};

await serve(async ({ url, connections }) => {
  const { PgBoss } = await load("pg-boss");
  const boss = new PgBoss({
    connectionString: url,
    max: connections,
    schedule: false,
    useListenNotify: true,
  });
  // Told by what fails; without a listener it would end the process.
  boss.on("error", () => {});
  await boss.start();
  await boss.createQueue("noop");
  await boss.createQueue("prompt", { notify: true });
  let queue = "noop";
  return {
    batch: 5_000,
    enqueue: (numbers) => boss.insert(queue, numbers.map((number) => ({ data: { number } }))),
    enqueueOne: (number) => boss.send(queue, { number }),
    async start(begun, { isPrompt }) {
      const mine = isPrompt ? "prompt" : "noop";
      queue = mine;
      await boss.work(mine, WORK, async (jobs) => {
        for (const job of jobs) begun(job.data.number);
      });
      return async () => {
        queue = "noop";
        await boss.offWork(mine, { wait: true });
      };
    },
  };
});
