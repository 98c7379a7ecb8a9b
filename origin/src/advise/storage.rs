//! What a database is asked. All of it a role with `pg_read_all_stats` (a part of `pg_monitor`) may read;
//! another one is told less, and says so.

/// What is counted of this database, in all since whenever.
pub(super) const COUNTERS: &str = "/* tidewall advise */
    SELECT (d.xact_commit + d.xact_rollback)::double precision, d.sessions::double precision,
        d.active_time, extract(epoch FROM clock_timestamp())::double precision
    FROM pg_stat_database AS d WHERE d.datname = current_database()";

/// What doesn't change from one moment to the next. Whoever streams changes (logical replication), or
/// keeps a copy of the log, is no replica that answers reads.
pub(super) const STANDING: &str = "/* tidewall advise */
    SELECT pg_database_size(current_database())::double precision,
        current_setting('max_connections')::double precision,
        (SELECT count(*) FROM pg_stat_replication AS r
            WHERE r.state = 'streaming' AND r.application_name !~ '^(pg_receivewal|pg_basebackup|barman|pgbackrest)'
                AND r.pid NOT IN (SELECT active_pid FROM pg_replication_slots
                    WHERE slot_type = 'logical' AND active_pid IS NOT NULL))::integer,
        pg_has_role(current_user, 'pg_read_all_stats', 'USAGE')";

/// What sessions do at this moment, on the whole server: its CPUs are for all databases. A session that
/// waits for its client, for a time, or for its own parallel workers, is not at work.
pub(super) const ACTIVITY: &str = "/* tidewall advise */
    SELECT count(*) FILTER (WHERE is_active AND wait_event_type IS NULL)::double precision,
        count(*) FILTER (WHERE is_active AND wait_event_type = 'IO')::double precision,
        count(*) FILTER (WHERE is_active AND wait_event_type = 'Lock')::double precision,
        count(*) FILTER (WHERE is_active AND wait_event_type IN ('LWLock', 'BufferPin'))::double precision,
        count(*) FILTER (WHERE is_active AND wait_event_type NOT IN ('IO', 'Lock', 'LWLock', 'BufferPin'))
            ::double precision,
        count(*) FILTER (WHERE is_client)::double precision,
        count(*) FILTER (WHERE is_client AND state = 'idle')::double precision,
        max(extract(epoch FROM now() - xact_start)) FILTER (WHERE is_client)::double precision
    FROM (
        SELECT state = 'active' AS is_active, backend_type = 'client backend' AS is_client, *
        FROM pg_stat_activity
        WHERE pid <> pg_backend_pid() AND backend_type IN ('client backend', 'parallel worker')
    ) AS sessions";

/// How often each statement of this database ran, and for how long, in all, for each role. Its text is in
/// a file, and isn't read. What a function runs is a part of who called it.
pub(super) fn statement_counters(schema: &str) -> String {
    format!(
        "/* tidewall advise */
         SELECT queryid, userid, calls::double precision, total_exec_time, rows::double precision
         FROM {schema}.pg_stat_statements(FALSE)
         WHERE dbid = (SELECT oid FROM pg_database WHERE datname = current_database())
             AND queryid IS NOT NULL AND toplevel"
    )
}

/// The same with the texts, which say what each does, but not the advisor's own.
pub(super) fn statements(schema: &str) -> String {
    format!(
        "/* tidewall advise */
         SELECT queryid, userid, calls::double precision, total_exec_time, rows::double precision,
             left(query, 20000)
         FROM {schema}.pg_stat_statements
         WHERE dbid = (SELECT oid FROM pg_database WHERE datname = current_database())
             AND queryid IS NOT NULL AND toplevel AND query NOT LIKE '/* tidewall advise */%'"
    )
}

/// Tidewall's own jobs: of the last few thousand those that have ended, and of all the one that has been
/// due for the longest time, by the index that workers claim by.
pub(super) const JOBS: &str = "/* tidewall advise */
    SELECT count(took)::double precision,
        percentile_cont(0.5) WITHIN GROUP (ORDER BY took), percentile_cont(0.95) WITHIN GROUP (ORDER BY took),
        (SELECT extract(epoch FROM now() - min(run_at))::double precision FROM jobs
            WHERE run_at IS NOT NULL AND run_at <= now() AND state <> 'running')
    FROM (
        SELECT (extract(epoch FROM finished_at - started_at) * 1000)::double precision AS took
        FROM jobs ORDER BY id DESC LIMIT 5000
    ) AS lately";

/// Tables of queues, where something was added since statistics are kept: whose they are.
pub(super) const QUEUES: &str = "
    SELECT DISTINCT known.name
    FROM pg_stat_all_tables AS s
    JOIN (VALUES
        ('job_workers', 'Tidewall'), ('_private_jobs', 'Graphile Worker'), ('river_job', 'River'),
        ('oban_jobs', 'Oban'), ('good_jobs', 'GoodJob'), ('solid_queue_jobs', 'Solid Queue'),
        ('que_jobs', 'Que'), ('procrastinate_jobs', 'Procrastinate'), ('delayed_jobs', 'Delayed Job'),
        ('django_q_task', 'Django Q'), ('django_q_ormq', 'Django Q'), ('jobs', 'Laravel')
    ) AS known (\"table\", name) ON s.relname = known.\"table\"
    WHERE s.n_tup_ins > 0 AND (known.name <> 'Laravel' OR EXISTS (
        SELECT FROM pg_attribute AS a WHERE a.attrelid = s.relid AND a.attname = 'reserved_at'
    ))
    UNION SELECT 'pg-boss' FROM pg_stat_all_tables WHERE schemaname = 'pgboss' AND n_tup_ins > 0
    UNION SELECT 'pgmq' FROM pg_stat_all_tables WHERE schemaname = 'pgmq' AND relname LIKE 'q\\_%' AND n_tup_ins > 0
    ORDER BY 1";
