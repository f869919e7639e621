-- A question goes over one channel several times, others are told together, and caps hold over all
-- workers and their deaths.
CREATE TABLE delivery_new (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    notification_id INTEGER NOT NULL REFERENCES notification (id) ON DELETE CASCADE,
    channel TEXT NOT NULL,
    step INTEGER NOT NULL DEFAULT 0, -- 0 the first time over this channel
    state TEXT NOT NULL CHECK (state IN ('queued', 'sending', 'sent', 'withdrawn', 'dead')),
    asks INTEGER NOT NULL DEFAULT 0, -- 1 when it is taken back once it is answered
    digest INTEGER NOT NULL DEFAULT 0, -- 1 when it is told with others in one message
    batch TEXT, -- key of the message that it is told in with others
    due REAL NOT NULL,
    attempts INTEGER NOT NULL DEFAULT 0,
    worker TEXT,
    sent REAL,
    error TEXT,
    UNIQUE (notification_id, channel, step)
);
INSERT INTO delivery_new (id, notification_id, channel, state, asks, due, attempts, worker, sent, error)
    SELECT delivery.id, notification_id, channel, state, kind IN ('blocker', 'error'), due, attempts,
           worker, sent, error
      FROM delivery JOIN notification ON notification.id = notification_id;
DROP TABLE delivery;
ALTER TABLE delivery_new RENAME TO delivery;
CREATE INDEX delivery_due ON delivery (channel, due) WHERE state = 'queued';
CREATE INDEX delivery_sending ON delivery (worker) WHERE state = 'sending';
CREATE INDEX delivery_open ON delivery (channel) WHERE state = 'sent' AND asks = 1;
CREATE INDEX delivery_batch ON delivery (batch) WHERE batch IS NOT NULL;

-- What was sent, and when, for the caps: of the last day.
CREATE TABLE channel_use (
    id INTEGER PRIMARY KEY,
    channel TEXT NOT NULL,
    at REAL NOT NULL
);
CREATE INDEX channel_use_at ON channel_use (channel, at);
INSERT INTO channel_use (channel, at) SELECT channel, sent FROM delivery WHERE sent IS NOT NULL;

-- A channel that does not work is left alone for a while.
CREATE TABLE channel_rest (
    channel TEXT PRIMARY KEY,
    until REAL NOT NULL,
    failures INTEGER NOT NULL, -- one after the other
    since REAL NOT NULL,
    said TEXT NOT NULL
) WITHOUT ROWID;

-- What the policy made of a notification: channel, time or null, the reason in words.
CREATE TABLE notification_plan (
    notification_id INTEGER PRIMARY KEY REFERENCES notification (id) ON DELETE CASCADE,
    steps TEXT NOT NULL
);

-- What becomes of a question when its deadline passes: wait, remind or escalate; NULL is not said.
ALTER TABLE blocker ADD COLUMN unanswered TEXT;
