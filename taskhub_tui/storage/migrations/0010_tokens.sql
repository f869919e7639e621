-- Answers from outside. A token is what one message may be answered with; only its hash is kept.
CREATE TABLE answer_token (
    hash BLOB PRIMARY KEY, -- SHA-256
    task_n INTEGER NOT NULL REFERENCES task (n) ON DELETE CASCADE,
    notification_id INTEGER NOT NULL REFERENCES notification (id) ON DELETE CASCADE,
    key TEXT NOT NULL, -- delivery key of the message
    blocker_id TEXT, -- NULL: it answers a failure
    version INTEGER,
    actions TEXT NOT NULL,
    sure INTEGER NOT NULL DEFAULT 1, -- 0: what is risky is asked once more before it is taken
    channel TEXT NOT NULL,
    recipient TEXT NOT NULL,
    code BLOB, -- SHA-256 of the token's hash and the code that is typed with it
    misses INTEGER NOT NULL DEFAULT 0,
    shown TEXT NOT NULL, -- what the message said
    created REAL NOT NULL,
    expires REAL NOT NULL,
    used REAL -- when it, or another of the same question, was used
) WITHOUT ROWID;
CREATE INDEX answer_token_task ON answer_token (task_n);
CREATE INDEX answer_token_note ON answer_token (notification_id);
CREATE INDEX answer_token_to ON answer_token (channel, recipient) WHERE used IS NULL;
CREATE INDEX answer_token_old ON answer_token (expires);

-- Every answer that came from outside, taken or not.
CREATE TABLE answer_attempt (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    at REAL NOT NULL,
    task_n INTEGER REFERENCES task (n) ON DELETE CASCADE, -- NULL: its token is none of ours
    blocker_id TEXT,
    version INTEGER,
    action TEXT NOT NULL,
    channel TEXT NOT NULL,
    recipient TEXT NOT NULL,
    peer TEXT NOT NULL, -- from where it came
    verdict TEXT NOT NULL,
    text TEXT,
    shown TEXT,
    times INTEGER NOT NULL DEFAULT 1
);
CREATE INDEX answer_attempt_task ON answer_attempt (task_n, id);
CREATE INDEX event_decided ON event (id) WHERE kind = 'decided';
