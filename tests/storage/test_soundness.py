"""What is wrong with a database file is said in sentences."""

import sqlite3

from taskhub_tui.config import Paths, Settings
from taskhub_tui.domain.model import NewTask
from taskhub_tui.hub import Hub
from taskhub_tui.storage.soundness import problems


async def test_a_damaged_name_in_what_sqlite_says_is_a_problem_and_no_crash(
    where: Paths, settings: Settings
) -> None:
    async with await Hub.open(paths=where, settings=settings, autostart=False) as hub:
        await hub.submit(NewTask("ls", agent="command", options={"argv": ["ls"]}))
    with sqlite3.connect(where.database, isolation_level=None) as connection:
        connection.execute("PRAGMA writable_schema = ON")
        connection.execute(
            "UPDATE sqlite_master SET name = CAST(x'6576656e745f746173e3' AS TEXT),"
            " sql = 'CREATE INDEX nothing' WHERE name = 'event_task'"
        )
    connection.close()
    (said,) = problems(where.database)
    assert "is damaged" in said
