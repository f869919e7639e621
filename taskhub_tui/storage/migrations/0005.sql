-- Limits, deadlines, and stages that give no sign of life.

ALTER TABLE task ADD COLUMN deadline REAL;
ALTER TABLE task ADD COLUMN stage_agent TEXT NOT NULL DEFAULT ''; -- of the current stage
ALTER TABLE task ADD COLUMN silent_since REAL;
ALTER TABLE stage ADD COLUMN stall REAL;
ALTER TABLE stage ADD COLUMN limited REAL;
ALTER TABLE stop ADD COLUMN stall REAL;
ALTER TABLE stop ADD COLUMN limited REAL;

UPDATE task SET stage_agent = COALESCE(
    (SELECT stage.agent FROM stage
      WHERE task_n = task.n AND position = min(task.stage, task.stages - 1)),
    agent
);

-- Until when the provider behind an agent takes nothing.
CREATE TABLE agent_limit (
    agent TEXT PRIMARY KEY,
    until REAL NOT NULL,
    said TEXT NOT NULL
) WITHOUT ROWID;

-- A queue per agent: whose turn it is costs the same however many wait for a busy one.
DROP INDEX task_ready;
CREATE INDEX task_ready ON task (stage_agent, priority DESC, n)
    WHERE status = 'pending' AND stopping = 0 AND deps_left = 0 AND waiting_on IS NULL;
DROP INDEX task_status;
CREATE INDEX task_status ON task (status, stage_agent);
CREATE INDEX task_deadline ON task (deadline) WHERE deadline IS NOT NULL AND ended IS NULL;
