-- The first schema. Times are seconds since the epoch; JSON is UTF-8 text.

-- One row: the number of the last commit that changed something a front end shows.
CREATE TABLE meta (
    one INTEGER PRIMARY KEY CHECK (one = 1),
    seq INTEGER NOT NULL
);
INSERT INTO meta VALUES (1, 0);

CREATE TABLE task (
    n INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    title TEXT NOT NULL,
    request TEXT NOT NULL,
    owner TEXT NOT NULL,
    agent TEXT NOT NULL,
    workdir TEXT NOT NULL,
    status TEXT NOT NULL,
    created REAL NOT NULL,
    changed REAL NOT NULL,
    seq INTEGER NOT NULL,
    playbook TEXT,
    options TEXT NOT NULL,
    context TEXT NOT NULL,
    priority INTEGER NOT NULL,
    waiting_on TEXT,
    stage INTEGER NOT NULL,
    stages INTEGER NOT NULL,
    stage_name TEXT NOT NULL,
    fraction REAL,
    note TEXT NOT NULL,
    eta REAL,
    ready_at REAL NOT NULL,
    deps_left INTEGER NOT NULL,
    started REAL,
    ended REAL,
    error TEXT,
    summary TEXT,
    result TEXT,
    holder TEXT,
    fence INTEGER NOT NULL,
    stopping INTEGER NOT NULL,
    pausing INTEGER NOT NULL
);
CREATE INDEX task_seq ON task (seq);
CREATE INDEX task_status ON task (status, n);
CREATE INDEX task_ready ON task (priority DESC, n) WHERE status = 'pending' AND stopping = 0;
CREATE INDEX task_timer ON task (ready_at) WHERE status = 'pending' AND stopping = 0;
CREATE INDEX task_held ON task (holder) WHERE holder IS NOT NULL;
CREATE INDEX task_stopping ON task (n) WHERE stopping = 1;

CREATE TABLE stage (
    task_n INTEGER NOT NULL REFERENCES task (n) ON DELETE CASCADE,
    position INTEGER NOT NULL,
    name TEXT NOT NULL,
    agent TEXT NOT NULL,
    status TEXT NOT NULL,
    prompt TEXT NOT NULL,
    options TEXT NOT NULL,
    gate INTEGER NOT NULL,
    review INTEGER NOT NULL,
    weight REAL NOT NULL,
    timeout REAL,
    retries INTEGER NOT NULL,
    retry_delay REAL NOT NULL,
    on_interrupt TEXT,
    attempt INTEGER NOT NULL,
    failures INTEGER NOT NULL,
    approved INTEGER NOT NULL,
    fraction REAL,
    note TEXT NOT NULL,
    estimate REAL,
    started REAL,
    ended REAL,
    state TEXT,
    output TEXT,
    error TEXT,
    log_mark INTEGER NOT NULL,
    history TEXT, -- what its duration is compared with; NULL once a person was waited for
    PRIMARY KEY (task_n, position)
) WITHOUT ROWID;
CREATE INDEX stage_history ON stage (history, ended) WHERE status = 'done' AND history IS NOT NULL;

-- The stage, as it was, of a task whose agent must still be stopped after CANCEL, REASSIGN or MODIFY.
CREATE TABLE stop (
    task_n INTEGER PRIMARY KEY REFERENCES task (n) ON DELETE CASCADE,
    position INTEGER NOT NULL,
    name TEXT NOT NULL,
    agent TEXT NOT NULL,
    status TEXT NOT NULL,
    prompt TEXT NOT NULL,
    options TEXT NOT NULL,
    gate INTEGER NOT NULL,
    review INTEGER NOT NULL,
    weight REAL NOT NULL,
    timeout REAL,
    retries INTEGER NOT NULL,
    retry_delay REAL NOT NULL,
    on_interrupt TEXT,
    attempt INTEGER NOT NULL,
    failures INTEGER NOT NULL,
    approved INTEGER NOT NULL,
    fraction REAL,
    note TEXT NOT NULL,
    estimate REAL,
    started REAL,
    ended REAL,
    state TEXT,
    output TEXT,
    error TEXT,
    log_mark INTEGER NOT NULL
);

CREATE TABLE dependency (
    task_n INTEGER NOT NULL REFERENCES task (n) ON DELETE CASCADE,
    after_n INTEGER NOT NULL REFERENCES task (n) ON DELETE CASCADE,
    PRIMARY KEY (task_n, after_n)
) WITHOUT ROWID;
CREATE INDEX dependency_after ON dependency (after_n);

CREATE TABLE blocker (
    id TEXT PRIMARY KEY,
    task_n INTEGER NOT NULL REFERENCES task (n) ON DELETE CASCADE,
    stage INTEGER NOT NULL,
    key TEXT NOT NULL,
    kind TEXT NOT NULL,
    question TEXT NOT NULL,
    version INTEGER NOT NULL,
    created REAL NOT NULL,
    state TEXT NOT NULL,
    choices TEXT NOT NULL,
    detail TEXT NOT NULL,
    risk TEXT NOT NULL,
    attempt INTEGER NOT NULL,
    deadline REAL,
    default_action TEXT,
    answer TEXT,
    answered REAL,
    by TEXT,
    channel TEXT,
    seq INTEGER NOT NULL
);
-- A task has one open question at most, and an attempt asks each key once. A gate that was closed
-- stands before the same attempt again.
CREATE UNIQUE INDEX blocker_open ON blocker (task_n) WHERE state = 'open';
CREATE UNIQUE INDEX blocker_key ON blocker (task_n, stage, attempt, key)
    WHERE state <> 'withdrawn' AND key <> 'gate';
CREATE INDEX blocker_deadline ON blocker (deadline) WHERE state = 'open' AND deadline IS NOT NULL;

CREATE TABLE event (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    task_n INTEGER NOT NULL REFERENCES task (n) ON DELETE CASCADE,
    at REAL NOT NULL,
    kind TEXT NOT NULL,
    stage INTEGER,
    by TEXT NOT NULL,
    channel TEXT NOT NULL,
    data TEXT NOT NULL,
    seq INTEGER NOT NULL
);
CREATE INDEX event_task ON event (task_n, id);
CREATE INDEX event_opened ON event (seq) WHERE kind = 'opened';

CREATE TABLE artifact (
    task_n INTEGER NOT NULL REFERENCES task (n) ON DELETE CASCADE,
    stage INTEGER NOT NULL,
    name TEXT NOT NULL,
    path TEXT NOT NULL,
    media_type TEXT NOT NULL,
    size INTEGER NOT NULL,
    created REAL NOT NULL,
    PRIMARY KEY (task_n, stage, name)
) WITHOUT ROWID;

CREATE TABLE notification (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    task_n INTEGER NOT NULL REFERENCES task (n) ON DELETE CASCADE,
    kind TEXT NOT NULL,
    title TEXT NOT NULL,
    body TEXT NOT NULL,
    created REAL NOT NULL,
    seq INTEGER NOT NULL,
    blocker_id TEXT,
    actions TEXT NOT NULL,
    read REAL,
    withdrawn REAL,
    planned INTEGER NOT NULL DEFAULT 0 -- 1 once the policy has said where it goes
);
CREATE INDEX notification_seq ON notification (seq);
CREATE INDEX notification_task ON notification (task_n) WHERE withdrawn IS NULL;
CREATE INDEX notification_new ON notification (id) WHERE planned = 0;

CREATE TABLE delivery (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    notification_id INTEGER NOT NULL REFERENCES notification (id) ON DELETE CASCADE,
    channel TEXT NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('queued', 'sending', 'sent', 'withdrawn', 'dead')),
    due REAL NOT NULL,
    attempts INTEGER NOT NULL DEFAULT 0,
    worker TEXT,
    sent REAL,
    error TEXT,
    UNIQUE (notification_id, channel)
);
CREATE INDEX delivery_due ON delivery (due) WHERE state = 'queued';
CREATE INDEX delivery_sending ON delivery (worker) WHERE state = 'sending';
CREATE INDEX delivery_sent ON delivery (channel, sent) WHERE state = 'sent';

CREATE TABLE worker (
    id TEXT PRIMARY KEY,
    host TEXT NOT NULL,
    boot TEXT NOT NULL,
    pid INTEGER NOT NULL,
    start TEXT NOT NULL,
    version TEXT NOT NULL,
    started REAL NOT NULL,
    seen REAL NOT NULL,
    lease_until REAL NOT NULL,
    stop INTEGER NOT NULL DEFAULT 0
);

-- Front ends that are open, and whether their user looks at them.
CREATE TABLE presence (
    id TEXT PRIMARY KEY,
    focused INTEGER,
    last_input REAL,
    seen REAL NOT NULL
);
