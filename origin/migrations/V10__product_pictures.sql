-- A picture of the product's own, by its name in the file store. NULL: one of the general ones.
ALTER TABLE products ADD COLUMN picture text CHECK (picture ~ '^[0-9a-z-]+[.][a-z]+$');
-- The job that made it. Of two uploads the later job's stays, whichever is done first.
ALTER TABLE products ADD COLUMN picture_job bigint;
