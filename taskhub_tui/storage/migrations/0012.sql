-- How many seconds an attempt has worked: its limit of time goes by that, not by when it began.
ALTER TABLE stage ADD COLUMN worked REAL NOT NULL DEFAULT 0;
ALTER TABLE stop ADD COLUMN worked REAL NOT NULL DEFAULT 0;

-- `limited` is now for how many seconds a provider has made a stage wait, not since when.
UPDATE stage SET limited = 0 WHERE limited IS NOT NULL;
UPDATE stop SET limited = 0 WHERE limited IS NOT NULL;
