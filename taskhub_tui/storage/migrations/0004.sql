-- Checksums of what people and later stages rely on; NULL where it was written before there were any.
ALTER TABLE stage ADD COLUMN seal INTEGER;
ALTER TABLE blocker ADD COLUMN seal INTEGER;
ALTER TABLE event ADD COLUMN seal INTEGER;
