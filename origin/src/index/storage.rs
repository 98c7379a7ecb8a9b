//! What is asked of the catalogues, all of which a role with `pg_read_all_stats` (a part of
//! `pg_monitor`) may read.

/// Tables of people: not the system's, not temporary, not partitioned (their partitions are).
pub(super) const TABLES: &str = "
    SELECT n.nspname, c.relname, c.reltuples::double precision AS rows,
        pg_table_size(c.oid)::double precision AS bytes,
        s.n_tup_ins AS inserted, s.n_tup_upd - s.n_tup_hot_upd AS updated,
        s.n_tup_hot_upd AS hot_updated
    FROM pg_class AS c
    JOIN pg_namespace AS n ON n.oid = c.relnamespace
    LEFT JOIN pg_stat_all_tables AS s ON s.relid = c.oid
    WHERE c.relkind IN ('r', 'm') AND c.relpersistence <> 't'
        AND n.nspname NOT IN ('pg_catalog', 'information_schema') AND n.nspname NOT LIKE 'pg\\_toast%'
        AND NOT starts_with(n.nspname, 'tidewall_scratch_')
    ORDER BY 1, 2";

/// Columns with their statistics; without, as before the first ANALYZE, those are null.
pub(super) const COLUMNS: &str = "
    SELECT n.nspname, c.relname, a.attname, a.attnotnull,
        CASE WHEN s.n_distinct < 0 THEN -s.n_distinct * greatest(c.reltuples, 0) ELSE s.n_distinct END
            ::double precision AS distinct,
        coalesce(s.null_frac, 0)::double precision AS null_share,
        coalesce(s.avg_width, CASE WHEN a.attlen > 0 THEN a.attlen ELSE 16 END)::double precision AS width,
        a.attcollation <> 0 AND NOT coalesce(l.collcollate IN ('C', 'POSIX') OR l.collname = 'C'
            OR l.collname = 'default' AND d.datcollate IN ('C', 'POSIX'), FALSE) AS has_language,
        s.most_common_vals::text::text[] AS common, s.most_common_freqs::double precision[] AS shares
    FROM pg_attribute AS a
    JOIN pg_class AS c ON c.oid = a.attrelid
    JOIN pg_namespace AS n ON n.oid = c.relnamespace
    JOIN pg_database AS d ON d.datname = current_database()
    LEFT JOIN pg_collation AS l ON l.oid = a.attcollation
    LEFT JOIN pg_stats AS s ON (s.schemaname, s.tablename, s.attname) = (n.nspname, c.relname, a.attname)
        AND NOT s.inherited
    WHERE a.attnum > 0 AND NOT a.attisdropped AND c.relkind IN ('r', 'm') AND c.relpersistence <> 't'
        AND n.nspname NOT IN ('pg_catalog', 'information_schema') AND n.nspname NOT LIKE 'pg\\_toast%'
        AND NOT starts_with(n.nspname, 'tidewall_scratch_')";

/// Indexes. An option's first bit is DESC, its second NULLS FIRST.
pub(super) const INDEXES: &str = "
    SELECT n.nspname, c.relname, tn.nspname AS table_schema, t.relname AS table_name,
        m.amname = 'btree' AS is_btree,
        format('%s %s %s', m.amname, i.indnullsnotdistinct, i.indimmediate) AS kind,
        ARRAY(SELECT format('%s %s', i.indclass[k - 1], i.indcollation[k - 1])
            FROM generate_series(1, i.indnkeyatts) AS k ORDER BY k) AS key_order,
        NOT EXISTS (SELECT FROM generate_series(0, i.indnkeyatts - 1) AS k
            JOIN pg_opclass AS o ON o.oid = i.indclass[k]
            LEFT JOIN pg_attribute AS a ON a.attrelid = t.oid AND a.attnum = i.indkey[k]
            WHERE NOT o.opcdefault OR a.attcollation <> i.indcollation[k]) AS is_usual,
        EXISTS (SELECT FROM pg_stat_progress_create_index AS p WHERE p.index_relid = c.oid) AS is_being_built,
        c.relispartition AS is_part, i.indisvalid, i.indisunique, i.indisprimary, i.indisreplident,
        i.indisclustered, coalesce(pg_relation_size(c.oid), 0)::double precision AS bytes,
        greatest(c.reltuples, 0)::double precision AS entries,
        ARRAY(SELECT pg_get_indexdef(i.indexrelid, k, TRUE) FROM generate_series(1, i.indnkeyatts) AS k
            ORDER BY k) AS keys,
        ARRAY(SELECT i.indkey[k - 1] = 0 FROM generate_series(1, i.indnkeyatts) AS k ORDER BY k) AS expressions,
        ARRAY(SELECT i.indoption[k - 1]::integer FROM generate_series(1, i.indnkeyatts) AS k ORDER BY k) AS options,
        ARRAY(SELECT pg_get_indexdef(i.indexrelid, k, TRUE)
            FROM generate_series(i.indnkeyatts + 1, i.indnatts) AS k ORDER BY k) AS include,
        EXISTS (SELECT FROM unnest(i.indclass) AS class JOIN pg_opclass AS o ON o.oid = class
            WHERE o.opcname LIKE '%pattern%') AS is_pattern,
        pg_get_expr(i.indpred, i.indrelid, TRUE) AS predicate,
        EXISTS (SELECT FROM pg_constraint AS r WHERE r.conindid = c.oid AND r.contype IN ('p', 'u', 'x'))
            AS is_constraint,
        EXISTS (SELECT FROM pg_constraint AS r WHERE r.conindid = c.oid AND r.contype = 'f') AS is_referenced
    FROM pg_index AS i
    JOIN pg_class AS c ON c.oid = i.indexrelid
    JOIN pg_class AS t ON t.oid = i.indrelid
    JOIN pg_namespace AS n ON n.oid = c.relnamespace
    JOIN pg_namespace AS tn ON tn.oid = t.relnamespace
    JOIN pg_am AS m ON m.oid = c.relam
    WHERE t.relkind IN ('r', 'm') AND t.relpersistence <> 't'
        AND n.nspname NOT IN ('pg_catalog', 'information_schema') AND n.nspname NOT LIKE 'pg\\_toast%'
        AND NOT starts_with(n.nspname, 'tidewall_scratch_')
    ORDER BY c.oid";

/// Columns that refer to other tables: whoever deletes there looks here.
pub(super) const FOREIGN_KEYS: &str = "
    SELECT n.nspname, t.relname,
        ARRAY(SELECT a.attname::text FROM unnest(r.conkey) WITH ORDINALITY AS k (number, place)
            JOIN pg_attribute AS a ON a.attrelid = r.conrelid AND a.attnum = k.number ORDER BY k.place) AS columns
    FROM pg_constraint AS r
    JOIN pg_class AS t ON t.oid = r.conrelid
    JOIN pg_namespace AS n ON n.oid = t.relnamespace
    WHERE r.contype = 'f'";

/// For how long statistics have been counted here, in seconds, at least: since they were last set
/// back, which a crash does as well, or since the server was started.
pub(super) const COUNTED_FOR: &str = "
    SELECT extract(epoch FROM now() - greatest(
        coalesce(d.stats_reset, pg_postmaster_start_time()), w.stats_reset))::double precision
    FROM pg_stat_database AS d, pg_stat_bgwriter AS w WHERE d.datname = current_database()";

/// Servers that stream from this one.
pub(super) const STANDBYS: &str = "SELECT count(*) FROM pg_stat_replication ";

/// How often each index was used.
pub(super) const SCANS: &str = "SELECT schemaname, indexrelname, idx_scan FROM pg_stat_user_indexes";

/// Where the statements are counted: an extension lies in any schema.
pub(super) const STATEMENTS_SCHEMA: &str = "
    SELECT quote_ident(n.nspname) FROM pg_extension AS e JOIN pg_namespace AS n ON n.oid = e.extnamespace
    WHERE e.extname = 'pg_stat_statements'";

/// Statements of this database that took most time, and that plans can be made for; each once,
/// whoever runs it. Those of others have no text for who may not see it.
pub(super) fn statements(schema: &str) -> String {
    format!(
        "SELECT queryid, min(query), sum(calls)::bigint,
             sum(total_exec_time) / greatest(sum(calls), 1), sum(rows)::bigint
         FROM {schema}.pg_stat_statements
         WHERE dbid = (SELECT oid FROM pg_database WHERE datname = current_database())
             AND query ~* '^\\s*(/\\*.*?\\*/\\s*)*(select|with|insert|update|delete|merge)\\M'
             AND query NOT LIKE '%tidewall_scratch_%'
         GROUP BY queryid
         ORDER BY sum(total_exec_time) DESC LIMIT $1"
    )
}

/// Statements of others that this role may not see, and their share of the time of all.
pub(super) fn hidden_statements(schema: &str) -> String {
    format!(
        "SELECT count(*) FILTER (WHERE queryid IS NULL),
             coalesce(sum(total_exec_time) FILTER (WHERE queryid IS NULL) / nullif(sum(total_exec_time), 0), 0)
                 ::double precision
         FROM {schema}.pg_stat_statements
         WHERE dbid = (SELECT oid FROM pg_database WHERE datname = current_database())"
    )
}

/// For how long they have been counted, in seconds.
pub(super) fn statements_counted_for(schema: &str) -> String {
    format!(
        "SELECT extract(epoch FROM now() - stats_reset)::double precision
         FROM {schema}.pg_stat_statements_info"
    )
}

/// How the valid indexes of a table were made.
pub(super) const DEFINITIONS: &str = "
    SELECT c.relname, pg_get_indexdef(i.indexrelid)
    FROM pg_index AS i
    JOIN pg_class AS c ON c.oid = i.indexrelid
    JOIN pg_class AS t ON t.oid = i.indrelid
    JOIN pg_namespace AS n ON n.oid = t.relnamespace
    WHERE n.nspname = $1 AND t.relname = $2 AND i.indisvalid AND NOT i.indisexclusion
    ORDER BY c.oid";

/// Schemas by the beginning of their names.
pub(super) const SCRATCH: &str = "SELECT nspname FROM pg_namespace WHERE starts_with(nspname, $1)";

/// Indexes by the beginning of their names whose build was broken off.
pub(super) const LEFTOVERS: &str = "
    SELECT n.nspname, c.relname
    FROM pg_index AS i
    JOIN pg_class AS c ON c.oid = i.indexrelid
    JOIN pg_namespace AS n ON n.oid = c.relnamespace
    WHERE NOT i.indisvalid AND c.relkind = 'i' AND starts_with(c.relname, $1) AND c.relname ~ '_[0-9a-f]{8}$'
        AND NOT EXISTS (SELECT FROM pg_stat_progress_create_index AS p WHERE p.index_relid = i.indexrelid)
    ORDER BY c.oid";

/// What a build that goes on beside others would wait for: transactions that were begun before it.
pub(super) const OLD_SNAPSHOTS: &str = "
    SELECT format('process %s (%s, %s)', pid, coalesce(nullif(application_name, ''), 'no name'), state),
        extract(epoch FROM now() - xact_start)::double precision
    FROM pg_stat_activity
    WHERE datname = current_database() AND pid <> pg_backend_pid() AND backend_type = 'client backend'
        AND xact_start < now() - make_interval(secs => $1)
    UNION ALL
    SELECT format('prepared transaction %L', gid), extract(epoch FROM now() - prepared)::double precision
    FROM pg_prepared_xacts
    WHERE database = current_database() AND prepared < now() - make_interval(secs => $1)
    ORDER BY 2 DESC";

/// What there is by the name of an index: whether it is valid.
pub(super) const STATE: &str = "
    SELECT i.indisvalid FROM pg_index AS i
    JOIN pg_class AS c ON c.oid = i.indexrelid
    JOIN pg_namespace AS n ON n.oid = c.relnamespace
    WHERE n.nspname = $1 AND c.relname = $2";
