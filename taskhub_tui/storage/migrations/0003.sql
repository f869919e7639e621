-- Deleting a task looks for all its questions and notifications; the old index knew only some.
DROP INDEX notification_task;
CREATE INDEX notification_task ON notification (task_n);
CREATE INDEX blocker_task ON blocker (task_n);
