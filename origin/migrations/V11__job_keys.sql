-- Attempts that don't count: snoozed, handed back. They don't make the next failure wait longer.
ALTER TABLE jobs ADD COLUMN uncounted integer NOT NULL DEFAULT 0;

-- A job keeps its key when it has ended, so that it has it again when it is retried by hand; who
-- has ended keeps nobody else from it. Ends write every index anyhow, claims none.
DROP INDEX jobs_unique;
CREATE UNIQUE INDEX jobs_unique ON jobs (kind, unique_key)
    WHERE unique_key IS NOT NULL AND finished_at IS NULL;

-- The dead letters, among many that went well.
CREATE INDEX jobs_dead ON jobs (id) WHERE error IS NOT NULL AND finished_at IS NOT NULL;

-- Raised when it isn't known what was claimed: a claim that the server takes up only then, or
-- that it still works on, takes nothing.
ALTER TABLE job_workers ADD COLUMN era integer NOT NULL DEFAULT 0;
