CREATE TABLE cart_items (
    user_id bigint NOT NULL REFERENCES users ON DELETE CASCADE,
    product_id bigint NOT NULL REFERENCES products ON DELETE CASCADE,
    quantity integer NOT NULL CHECK (quantity > 0),
    added_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (user_id, product_id)
);

-- The rows that go with a product.
CREATE INDEX cart_items_product ON cart_items (product_id);

-- Whose job it is; NULL where it is nobody's.
ALTER TABLE jobs ADD COLUMN owner_id bigint;
