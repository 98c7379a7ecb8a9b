-- What the cases have in common: a shop in which nothing but primary keys is indexed.

CREATE TABLE users (
    id integer PRIMARY KEY,
    email text NOT NULL,
    name text NOT NULL,
    country text NOT NULL,
    is_active boolean NOT NULL,
    deleted_at timestamptz,
    created_at timestamptz NOT NULL
);
INSERT INTO users
SELECT n, 'User' || n || '@example.com', md5(n::text), (ARRAY['de', 'fr', 'it', 'es', 'pl'])[1 + n % 5],
    n % 50 <> 0, CASE WHEN n % 100 = 0 THEN now() END, now() - n * interval '10 minutes'
FROM generate_series(1, 40000) AS n;

CREATE TABLE orders (
    id integer PRIMARY KEY,
    user_id integer NOT NULL,
    status text NOT NULL,
    total integer NOT NULL,
    country text NOT NULL,
    note text NOT NULL,
    shipped_at timestamptz,
    created_at timestamptz NOT NULL
);
INSERT INTO orders
SELECT n, 1 + (hashint4(n) & 2147483647) % 40000,
    CASE WHEN n % 100 < 97 THEN 'done' WHEN n % 100 < 99 THEN 'open' ELSE 'failed' END,
    (hashint4(n + 1) & 2147483647) % 100000, (ARRAY['de', 'fr', 'it', 'es', 'pl'])[1 + n % 5],
    repeat('x', 60), CASE WHEN n % 50 <> 0 THEN now() END, now() - (200000 - n) * interval '5 minutes'
FROM generate_series(1, 200000) AS n;

CREATE TABLE items (
    order_id integer NOT NULL,
    product_id integer NOT NULL,
    quantity integer NOT NULL,
    price integer NOT NULL
);
INSERT INTO items
SELECT 1 + (hashint4(n) & 2147483647) % 200000, 1 + (hashint4(n + 7) & 2147483647) % 20000, 1 + n % 3, n % 9000
FROM generate_series(1, 300000) AS n;

CREATE TABLE products (
    id integer PRIMARY KEY,
    sku text NOT NULL,
    name text NOT NULL,
    category text NOT NULL,
    price integer NOT NULL,
    stock integer NOT NULL,
    description text NOT NULL
);
INSERT INTO products
SELECT n, 'SKU-' || n, md5((n * 3)::text), 'category ' || n % 40, (hashint4(n) & 2147483647) % 100000,
    (hashint4(n + 5) & 2147483647) % 500, repeat('y', 200)
FROM generate_series(1, 20000) AS n;

CREATE TABLE events (
    id bigint GENERATED ALWAYS AS IDENTITY,
    kind text NOT NULL,
    user_id integer NOT NULL,
    at timestamptz NOT NULL
);
INSERT INTO events (kind, user_id, at)
SELECT 'kind ' || n % 10, 1 + (hashint4(n) & 2147483647) % 40000, now() - (200000 - n) * interval '1 second'
FROM generate_series(1, 200000) AS n;

CREATE TABLE settings (name text NOT NULL, value text NOT NULL);
INSERT INTO settings SELECT 'setting ' || n, 'value' FROM generate_series(1, 800) AS n;
