-- How many seconds an attempt has worked: its limit of time goes by that, not by when it began.
ALTER TABLE stage ADD COLUMN worked REAL NOT NULL DEFAULT 0;
ALTER TABLE stop ADD COLUMN worked REAL NOT NULL DEFAULT 0;
