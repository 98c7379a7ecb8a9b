-- Workers hold jobs under one lease for each process, not for each job: a heartbeat is one
-- row, however many jobs run.
CREATE TABLE job_workers (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name text NOT NULL,
    -- Jobs that it runs at the same time.
    concurrency integer NOT NULL,
    started_at timestamptz NOT NULL DEFAULT now(),
    -- A worker that says nothing until then is lost, and its jobs are free again.
    lease_until timestamptz NOT NULL,
    -- What it has done lately, by kind.
    figures jsonb NOT NULL DEFAULT '{}'
);

-- What ran until now had a lease of its own, and runs again.
UPDATE jobs SET state = 'retryable', lease_until = NULL WHERE state = 'running';
DROP INDEX jobs_due;
DROP INDEX jobs_leases;
DROP INDEX jobs_kind_state;
ALTER TABLE jobs
    DROP COLUMN lease_until,
    -- Of the payload's shape.
    ADD COLUMN version smallint NOT NULL DEFAULT 1,
    -- The worker that has it.
    ADD COLUMN worker_id bigint,
    -- Of a kind that has limits: jobs of one lane share what is limited for each key. Bytewise,
    -- since lanes are visited in this order.
    ADD COLUMN lane text COLLATE "C",
    -- The same while it runs.
    ADD COLUMN running_lane text COLLATE "C",
    -- Held by one job of the kind: until the job is claimed, or (`unique_to_end`) until it ends.
    ADD COLUMN unique_key text,
    ADD COLUMN unique_to_end boolean NOT NULL DEFAULT false,
    -- Its worker is to stop it.
    ADD COLUMN cancel_requested boolean NOT NULL DEFAULT false,
    -- Attempts that failed, the last ones: number, time, and why.
    ADD COLUMN failures jsonb NOT NULL DEFAULT '[]',
    -- When its last attempt began.
    ADD COLUMN started_at timestamptz,
    -- A job that has ended is removed then.
    ADD COLUMN keep_until timestamptz,
    -- What has ended isn't due at any time.
    ALTER COLUMN run_at DROP NOT NULL;
UPDATE jobs
SET keep_until = finished_at + CASE WHEN state = 'completed' THEN interval '1 day' ELSE interval '30 days' END,
    run_at = NULL
WHERE finished_at IS NOT NULL;
-- From now on the lower one goes first: 0 urgent, 1 high, 2 normal, 3 low.
UPDATE jobs SET priority = CASE WHEN priority > 0 THEN 1 WHEN priority = 0 THEN 2 ELSE 3 END;
ALTER TABLE jobs
    ALTER COLUMN priority SET DEFAULT 2,
    ADD CHECK (priority BETWEEN 0 AND 3),
    ADD CHECK ((state = 'running') = (worker_id IS NOT NULL)),
    ADD CHECK (running_lane IS NULL OR state = 'running'),
    ADD CHECK (NOT cancel_requested OR state = 'running'),
    ADD CHECK ((finished_at IS NULL) = (run_at IS NOT NULL)),
    -- Claims begin there, and programs can't read what lies beyond.
    ADD CHECK (run_at >= 'epoch' AND run_at < '9999-01-01'),
    ADD CHECK ((finished_at IS NULL) = (keep_until IS NULL));

-- A claim is the one change that every job goes through, so it is to be a cheap one: it changes
-- no column that any index here has in its key or its condition. So the new row goes where the
-- old one is, if there is room (a heap-only tuple), and no index is written. For that pages are
-- filled by half, running jobs stay in the indexes of those that wait, and `state` is in none.
CREATE INDEX jobs_due ON jobs (priority, run_at, id) WHERE run_at IS NOT NULL AND lane IS NULL;
-- The same for kinds with limits, lane by lane.
CREATE INDEX jobs_lanes ON jobs (kind, lane, priority, run_at, id)
    WHERE run_at IS NOT NULL AND lane IS NOT NULL;
-- How many run in each lane.
CREATE INDEX jobs_lanes_running ON jobs (kind, running_lane) WHERE running_lane IS NOT NULL;
CREATE UNIQUE INDEX jobs_unique ON jobs (kind, unique_key) WHERE unique_key IS NOT NULL;
CREATE INDEX jobs_cancelling ON jobs (id) WHERE cancel_requested;
-- The next ones to remove.
CREATE INDEX jobs_kept ON jobs (keep_until) WHERE keep_until IS NOT NULL;

-- A queue is small and changes all the time: what is dead is cleared away by its number, not
-- by its share, and without pauses.
ALTER TABLE jobs SET (
    fillfactor = 50,
    autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 20000,
    autovacuum_vacuum_insert_scale_factor = 0, autovacuum_vacuum_insert_threshold = 100000,
    autovacuum_analyze_scale_factor = 0, autovacuum_analyze_threshold = 50000,
    autovacuum_vacuum_cost_delay = 0
);

-- How much of a kind's rate is used up: the theoretical arrival time of the generic cell rate
-- algorithm (ITU-T I.371, annex A).
CREATE TABLE job_rates (
    kind text PRIMARY KEY,
    arrival_at timestamptz NOT NULL
);

-- Up to when each schedule has fired.
CREATE TABLE job_schedules (
    name text PRIMARY KEY,
    fired_at timestamptz NOT NULL
);
