"""What no row of the database may say, as SQL that must find nothing."""

NEVER = {
    "a task has one open question exactly when it is blocked": """
        SELECT id, status FROM task WHERE (status = 'blocked') <>
            (SELECT count(*) FROM blocker
              WHERE task_n = n AND state = 'open' AND kind <> 'stalled')""",
    "whether a stage is stuck is asked only while it runs, and is silent": """
        SELECT task.id, task.status, waiting_on, silent_since FROM blocker JOIN task ON n = task_n
         WHERE state = 'open' AND kind = 'stalled' AND (status <> 'in_progress'
            OR waiting_on IS NOT 'user' OR silent_since IS NULL OR blocker.stage <> task.stage)""",
    "who runs and waits for the user is asked whether it is stuck": """
        SELECT id FROM task WHERE status = 'in_progress' AND (waiting_on = 'user') <>
            (SELECT count(*) FROM blocker WHERE task_n = n AND state = 'open')""",
    "only what runs is silent": """
        SELECT id, status FROM task WHERE silent_since IS NOT NULL AND status <> 'in_progress'""",
    "limits count by the agent of the stage that runs": """
        SELECT task.id, stage_agent, stage.agent FROM task
          JOIN stage ON task_n = n AND position = task.stage
         WHERE stage_agent <> stage.agent AND task.status NOT IN ('completed', 'cancelled')""",
    "who is blocked waits for the user": """
        SELECT id FROM task WHERE status = 'blocked' AND waiting_on IS NOT 'user'""",
    "what runs has a holder, and what has a holder runs, or is being stopped": """
        SELECT id, status, holder, stopping FROM task
         WHERE (status = 'in_progress' AND holder IS NULL)
            OR (holder IS NOT NULL AND status <> 'in_progress' AND stopping = 0)""",
    "a task whose agent is to be stopped says which stage that was": """
        SELECT id FROM task
         WHERE stopping <> (SELECT count(*) FROM stop WHERE task_n = n)""",
    "the stages of a task are numbered from 0 and counted": """
        SELECT id FROM task WHERE stages <> (SELECT count(*) FROM stage WHERE task_n = n)
            OR stages <> (SELECT max(position) + 1 FROM stage WHERE task_n = n)""",
    "no stage is done while an earlier one is not": """
        SELECT a.task_n, a.position FROM stage a JOIN stage b
            ON a.task_n = b.task_n AND a.position < b.position
         WHERE a.status <> 'done' AND b.status IN ('done', 'running', 'blocked')""",
    "a completed task has all its stages done": """
        SELECT id FROM task WHERE status = 'completed' AND (stage <> stages OR fraction <> 1.0
            OR EXISTS (SELECT 1 FROM stage WHERE task_n = n AND status <> 'done'))""",
    "a task that is over says when it ended": """
        SELECT id, status FROM task WHERE status IN ('completed', 'failed', 'cancelled')
           AND (ended IS NULL OR eta IS NOT NULL OR waiting_on IS NOT NULL)""",
    "no stage runs in a task that does not": """
        SELECT id, task.status, position FROM task JOIN stage ON task_n = n
         WHERE stage.status = 'running' AND task.status <> 'in_progress'""",
    "deps_left is the number of tasks that are waited for": """
        SELECT id, deps_left FROM task
         WHERE deps_left <> (SELECT count(*) FROM dependency WHERE task_n = n)""",
    "nobody waits for a task that is over": """
        SELECT task_n, after_n FROM dependency
          JOIN task first ON first.n = after_n JOIN task next ON next.n = task_n
         WHERE first.status IN ('completed', 'cancelled') AND next.status <> 'cancelled'""",
    "what a waiting task waits for is right": """
        SELECT id, waiting_on, deps_left FROM task WHERE status = 'pending'
           AND ((deps_left > 0) <> (waiting_on IS 'dependency') OR waiting_on = 'user')""",
    "a task that waits for others does not run": """
        SELECT id, deps_left FROM task WHERE status IN ('in_progress', 'blocked', 'completed')
           AND deps_left > 0""",
    "an answered question says what, when and by whom": """
        SELECT id FROM blocker WHERE (state IN ('answered', 'expired')) <> (answer IS NOT NULL)
            OR (answer IS NOT NULL AND (answered IS NULL OR by IS NULL))
            OR (state = 'expired') <> (channel IS 'timeout')""",
    "a deadline is not met before its time": """
        SELECT id, deadline, answered FROM blocker WHERE state = 'expired'
           AND (default_action IS NULL OR deadline IS NULL)""",
    "fractions are between 0 and 1": """
        SELECT id FROM task WHERE fraction NOT BETWEEN 0.0 AND 1.0""",
    "a notification asks only while its question is open": """
        SELECT notification.id, blocker.state FROM notification
          JOIN blocker ON blocker.id = blocker_id
         WHERE notification.kind = 'blocker' AND withdrawn IS NULL AND state <> 'open'""",
    "an error is shown only while its task is failed": """
        SELECT notification.id, status FROM notification JOIN task ON n = task_n
         WHERE kind = 'error' AND withdrawn IS NULL AND status <> 'failed'""",
    "every open question has a notification": """
        SELECT id FROM blocker WHERE state = 'open' AND NOT EXISTS (
            SELECT 1 FROM notification WHERE blocker_id = blocker.id AND withdrawn IS NULL)""",
}
"""SQL that must find nothing after any commit."""

ANY = "SELECT " + " OR ".join(f"EXISTS ({sql})" for sql in NEVER.values())

AT_REST = {
    "a task is left": """
        SELECT id, status, waiting_on, holder, stopping FROM task
         WHERE status NOT IN ('completed', 'cancelled') OR stopping = 1 OR holder IS NOT NULL""",
    "a question is left open": "SELECT id FROM blocker WHERE state = 'open'",
    "a notification was not planned": "SELECT id FROM notification WHERE planned = 0",
    "a delivery is left": """
        SELECT id, state, due, worker FROM delivery WHERE state IN ('queued', 'sending')""",
}
"""SQL that must find nothing once everything has been answered and time has passed."""
