"""`backup` and `restore` as people use them."""

import json
import sqlite3
from pathlib import Path


def test_backup_makes_a_copy_and_lists_it(still: Path, cli) -> None:
    cli("run", "--", "ls")
    assert "There is no backup yet" in cli("backup", "--list").err
    made = json.loads(cli("backup", "--json").out)
    assert Path(made["path"]).parent == still / "backups"
    assert Path(made["path"]).stat().st_size == made["size"]
    assert json.loads(cli("backup", "--list", "--json").out) == [
        {**made, "made": made["made"][:-4] + "000Z"}
    ]
    shown = cli("backup", "--list")
    assert (shown.code, made["path"] in shown.out) == (0, True)


def test_backup_goes_where_it_is_told_but_over_nothing(still: Path, cli) -> None:
    cli("run", "--", "ls")
    said = cli("backup", "-o", "copy.db")
    assert (said.code, said.out.strip()) == (0, str(Path.cwd() / "copy.db"))
    again = cli("backup", "-o", "copy.db")
    assert (again.code, again.out) == (2, "")
    assert "exists already" in again.err


def test_there_is_nothing_to_back_up_before_the_first_task(home: Path, cli) -> None:
    for words in (["backup"], ["backup", "-o", "x.db"]):
        said = cli(*words)
        assert (said.code, "There is nothing to back up" in said.err) == (2, True)
    assert not (home / "taskhub.db").exists()


def test_restore_asks_first_and_puts_the_newest_copy_back(still: Path, cli) -> None:
    task_id = cli("run", "--", "ls").out.strip()
    cli("backup")
    cli("run", "--", "ls", "-l")
    refused = cli("restore")
    assert (refused.code, "nobody to ask here" in refused.err) == (2, True)
    assert len(json.loads(cli("list", "--json").out)) == 2
    done = cli("restore", "--yes")
    assert done.code == 0, done.err
    assert "1 task was not over then, and paused now" in done.err
    (task,) = json.loads(cli("list", "--json").out)
    assert (task["id"], task["status"]) == (task_id, "paused")


def test_restore_mends_a_damaged_database(still: Path, cli) -> None:
    cli("run", "--", "ls")
    cli("backup", "-o", "copy.db")
    (still / "taskhub.db").write_bytes(b"\xaa" * 5000)
    broken = cli("list")
    assert broken.code == 5
    assert "is damaged" in broken.err
    assert "taskhub restore" in broken.err
    told = json.loads(cli("restore", "copy.db", "--yes", "--json").out)
    assert told["paused"] == 1
    assert (Path(told["aside"]) / "taskhub.db").read_bytes() == b"\xaa" * 5000
    assert cli("list").code == 0


def test_restore_without_any_backup_says_so(home: Path, cli) -> None:
    said = cli("restore", "--yes")
    assert (said.code, "There is no backup" in said.err) == (2, True)
    sqlite3.connect("other.db").close()
    said = cli("restore", "other.db", "--yes")
    assert (said.code, "is no sound backup" in said.err) == (2, True)
    assert not (home / "taskhub.db").exists()
