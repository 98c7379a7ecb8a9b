-- Who signs up gives no name.
ALTER TABLE users ALTER COLUMN name SET DEFAULT '';
-- As argon2id writes it. Without one nobody can log in.
ALTER TABLE users ADD COLUMN password_hash text;
ALTER TABLE users ADD COLUMN staff boolean NOT NULL DEFAULT false;

-- One row for each device on which somebody is logged in. Its refresh token changes with
-- every use; whoever comes with an earlier one has stolen it, or it was stolen from them.
CREATE TABLE sessions (
    id bytea PRIMARY KEY CHECK (length(id) = 16),
    user_id bigint NOT NULL REFERENCES users ON DELETE CASCADE,
    -- SHA-256: what lies here opens nothing.
    token_hash bytea NOT NULL CHECK (length(token_hash) = 32),
    expires_at timestamptz NOT NULL
);

-- The sessions that end with an account.
CREATE INDEX sessions_user ON sessions (user_id);
-- Those that have ended, to be removed.
CREATE INDEX sessions_expires ON sessions (expires_at);

-- When each client did something of which there may be only so much in a minute. Not
-- logged: it is empty after a crash, and no replica needs it.
CREATE UNLOGGED TABLE rate_limits (
    action text NOT NULL,
    client text NOT NULL,
    taken_at timestamptz[] NOT NULL,
    was_allowed boolean NOT NULL,
    expires_at timestamptz NOT NULL,
    PRIMARY KEY (action, client)
);

CREATE INDEX rate_limits_expires ON rate_limits (expires_at);

-- Answers to writes that a client may send again, by the name it gave them.
CREATE TABLE idempotency_keys (
    user_id bigint NOT NULL REFERENCES users ON DELETE CASCADE,
    key text NOT NULL,
    -- SHA-256 of what was asked: under the same name something else is refused.
    request_hash bytea NOT NULL,
    -- NULL within the transaction that answers it, and nowhere else.
    answer jsonb,
    expires_at timestamptz NOT NULL,
    PRIMARY KEY (user_id, key)
);

CREATE INDEX idempotency_keys_expires ON idempotency_keys (expires_at);
