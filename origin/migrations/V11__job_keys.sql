ALTER TABLE jobs
    -- Attempts that don't count: snoozed, handed back. They don't make the next failure wait longer.
    ADD COLUMN uncounted integer NOT NULL DEFAULT 0,
    -- The key that it had when it ended, so that it has it again when it is retried by hand.
    ADD COLUMN kept_key text;

-- Raised when it isn't known what was claimed: a claim that the server takes up only then, or
-- that it still works on, takes nothing.
ALTER TABLE job_workers ADD COLUMN era integer NOT NULL DEFAULT 0;
