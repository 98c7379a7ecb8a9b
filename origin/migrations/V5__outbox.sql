-- Invalidations that the edge hasn't accepted yet.
CREATE TABLE outbox (
    -- In the order in which they were written down, which needn't be that of the commits.
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    -- The transaction, by which the edge knows what it was told in the write's own
    -- answer. So there is one invalidation for each transaction. NULL where the
    -- number may have been another transaction's a moment ago; see outbox_log.
    write_id xid8 UNIQUE,
    purge jsonb NOT NULL,
    -- Not now(), which is the transaction's beginning.
    enqueued_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    -- Set aside: the edge will never accept it.
    failed_at timestamptz,
    failure text,
    CHECK ((failed_at IS NULL) = (failure IS NULL))
);

-- The next ones to deliver.
CREATE INDEX outbox_waiting ON outbox (id) WHERE failed_at IS NULL;

-- Which log the primary writes. Positions of two logs don't compare, and both may have
-- given the same number to transactions of their own.
CREATE VIEW outbox_log_now AS
    SELECT system_identifier AS system,
        -- In the name of the segment that is being written.
        ('x' || left(pg_walfile_name(pg_current_wal_flush_lsn()), 8))::bit(32)::int AS timeline
    FROM pg_control_system();

-- The one it wrote when somebody last looked.
CREATE TABLE outbox_log (
    id smallint PRIMARY KEY DEFAULT 1 CHECK (id = 1),
    system bigint NOT NULL,
    timeline integer NOT NULL,
    -- When that was noticed. This one has been there from the beginning.
    since timestamptz NOT NULL DEFAULT clock_timestamp()
);

INSERT INTO outbox_log (system, timeline, since) SELECT system, timeline, '-infinity' FROM outbox_log_now;
