-- What a person asked to be shown on a channel to try it out, and what came of it.
CREATE TABLE channel_test (
    channel TEXT PRIMARY KEY,
    asked REAL NOT NULL,
    tried REAL,
    said TEXT -- why it did not work; NULL when it did
) WITHOUT ROWID;
