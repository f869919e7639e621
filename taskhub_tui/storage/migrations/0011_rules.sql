-- What is always allowed. A rule that was revoked stays: decisions name it.
CREATE TABLE rule (
    id TEXT PRIMARY KEY,
    scope TEXT NOT NULL,
    value TEXT NOT NULL,
    created REAL NOT NULL,
    by TEXT NOT NULL,
    channel TEXT NOT NULL,
    revoked REAL,
    revoked_by TEXT,
    uses INTEGER NOT NULL DEFAULT 0,
    used REAL,
    seal INTEGER NOT NULL -- of scope and value: a damaged rule allows nothing
);
CREATE UNIQUE INDEX rule_live ON rule (scope, value) WHERE revoked IS NULL;
