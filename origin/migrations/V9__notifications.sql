-- How many notifications each user was sent. Whoever sends one holds the row until it commits:
-- so a user's notifications are numbered in the order of the commits, and whoever has read up
-- to one of them never misses an earlier one.
CREATE TABLE notification_counters (
    user_id bigint PRIMARY KEY REFERENCES users ON DELETE CASCADE,
    last bigint NOT NULL CHECK (last > 0)
) WITH (fillfactor = 70);

CREATE TABLE notifications (
    user_id bigint NOT NULL REFERENCES users ON DELETE CASCADE,
    id bigint NOT NULL,
    kind text NOT NULL,
    body jsonb NOT NULL,
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (user_id, id)
);

-- Programs of others that are told what happens.
CREATE TABLE webhook_endpoints (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    url text NOT NULL UNIQUE,
    -- What signs the messages, sealed with a key of the origins.
    secret bytea NOT NULL,
    events text[] NOT NULL CHECK (cardinality(events) > 0),
    created_at timestamptz NOT NULL DEFAULT now()
);

-- Who is to be told of an event.
CREATE INDEX webhook_endpoints_events ON webhook_endpoints USING gin (events);
