"""A database from before there were several steps and channels keeps what it had to send."""

import sqlite3
from pathlib import Path

from taskhub_tui.storage.database import migrate, migrations

TASK = {
    "title": "t", "request": "r", "owner": "o", "agent": "a", "workdir": "/", "status": "blocked",
    "created": 1, "changed": 1, "seq": 1, "options": "{}", "context": "[]", "priority": 0,
    "stage": 0, "stages": 1, "stage_name": "s", "note": "", "ready_at": 0, "deps_left": 0,
    "fence": 0, "stopping": 0, "pausing": 0,
}  # fmt: skip


def test_what_was_queued_and_sent_is_still_so_and_counts_for_the_caps(tmp_path: Path) -> None:
    connection = sqlite3.connect(tmp_path / "old.db", isolation_level=None)
    migrate(connection, migrations()[:8])
    names, marks = ", ".join(TASK), ", ".join("?" * len(TASK))
    connection.execute(f"INSERT INTO task (id, {names}) VALUES ('x', {marks})", (*TASK.values(),))
    for kind in ("blocker", "completed", "error"):
        connection.execute(
            "INSERT INTO notification (task_n, kind, title, body, created, seq, actions, planned)"
            " VALUES (1, ?, '', '', 1, 1, '[]', 1)",
            (kind,),
        )
    connection.execute(
        "INSERT INTO delivery (notification_id, channel, state, due, attempts, worker, sent, error)"
        " VALUES (1, 'desktop', 'sent', 5, 1, 'w', 6, NULL),"
        "        (2, 'desktop', 'queued', 7, 2, NULL, NULL, 'away'),"
        "        (3, 'desktop', 'sending', 8, 1, 'w', NULL, NULL)"
    )
    migrate(connection)
    assert connection.execute(
        "SELECT id, notification_id, state, asks, step, due, attempts, worker, sent, error"
        " FROM delivery ORDER BY id"
    ).fetchall() == [
        (1, 1, "sent", 1, 0, 5.0, 1, "w", 6.0, None),
        (2, 2, "queued", 0, 0, 7.0, 2, None, None, "away"),
        (3, 3, "sending", 1, 0, 8.0, 1, "w", None, None),
    ]
    assert connection.execute("SELECT channel, at FROM channel_use").fetchall() == [
        ("desktop", 6.0)
    ]
    connection.close()
