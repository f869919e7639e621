-- How often people changed their part of a task: the engine reads it anew when this has grown.
ALTER TABLE task ADD COLUMN edits INTEGER NOT NULL DEFAULT 0;

-- What may start now, in its order, apart from what waits for its time: a claim reads no more rows
-- than it takes, however many tasks wait.
DROP INDEX task_ready;
CREATE INDEX task_ready ON task (priority DESC, n)
    WHERE status = 'pending' AND stopping = 0 AND deps_left = 0 AND waiting_on IS NULL;
DROP INDEX task_timer;
CREATE INDEX task_timer ON task (ready_at)
    WHERE status = 'pending' AND stopping = 0 AND deps_left = 0 AND waiting_on IS NOT NULL;
