-- The dead letters, among many that went well. By itself: whoever reads goes on meanwhile.
CREATE INDEX jobs_dead ON jobs (id) WHERE error IS NOT NULL AND finished_at IS NOT NULL;
