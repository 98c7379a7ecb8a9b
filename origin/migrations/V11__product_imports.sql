-- Imports that were done, with what they came to. Written with the products, so an attempt
-- that follows one whose end nobody saw adds nothing again.
CREATE TABLE product_imports (
    job bigint PRIMARY KEY,
    file text NOT NULL
);
