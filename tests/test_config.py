"""Settings: what may be written in config.toml, and what is said about the rest."""

import errno
import os
from pathlib import Path

import pytest

from taskhub_tui.config import Backups, Paths, Retention, make_private, paths, settings
from taskhub_tui.domain.errors import BadInput, StoreBusy, StoreError
from taskhub_tui.domain.model import Status


def test_no_file_means_the_defaults(where: Paths, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("USER", "ann\x1b[31m")
    found = settings(where)
    assert (found.owner, found.concurrency, found.lease) == ("ann", 16, 15.0)


def test_a_file_is_read(where: Paths) -> None:
    where.config.write_text('owner = "bob\\u001b[1m"\nlease = 5\n[notifications]\nquiet = "22-7"\n')
    found = settings(where)
    assert (found.owner, found.lease) == ("bob", 5)
    assert found.notifications == {"quiet": "22-7"}


def test_backups_and_retention_have_tables_of_their_own(where: Paths) -> None:
    assert settings(where).retention.enabled is False
    where.config.write_text(
        '[backup]\nevery = "12h"\nkeep = 3\n'
        '[retention]\nenabled = true\nolder_than = "30d"\nstatus = ["completed", "failed"]\n'
    )
    found = settings(where)
    assert found.backup == Backups(every=43200.0, keep=3)
    assert found.retention == Retention(
        True, 30 * 86400.0, (Status.COMPLETED, Status.FAILED), keep_results=True
    )


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("owner = ", "is not valid TOML"),
        ("colour = 1", "`colour` is not a setting"),
        ("owner = 1", "`owner` must be str, not 1"),
        ("concurrency = true", "`concurrency` must be int, not True"),
        ("concurrency = 0", "`concurrency` must be at least 1"),
        ("idle_exit = -1", "`idle_exit` must be at least 0"),
        ("lease = 0.5", "`lease` must be at least 1"),
        ("lease = nan", "`lease` must be a finite number, not nan"),
        ("idle_exit = inf", "`idle_exit` must be a finite number, not inf"),
        ("lease = '15s'", "`lease` must be int or float, not '15s'"),
        ("notifications = 3", "`notifications` must be dict, not 3"),
        ("backup = 3", "`backup` must be dict, not 3"),
        ("[backup]\ndaily = true", "`backup.daily` is not a setting"),
        ("[backup]\nenabled = 1", "`backup.enabled`: it must be true or false, not 1"),
        ("[backup]\nevery = 'often'", "`backup.every`: `often` is not a duration"),
        ("[backup]\nevery = '1s'", "`backup.every`: it must be 1m or more"),
        ("[backup]\nevery = inf", "`backup.every`: it must be 3650d or less"),
        ("[backup]\nevery = nan", "`backup.every`: it must be 1m or more"),
        ("[backup]\nkeep = 0", "`backup.keep`: it must be a number of 1 or more, not 0"),
        ("[retention]\nolder_than = true", "it must be a duration such as 1d, not True"),
        ("[retention]\nstatus = ['pending']", "must be a list of completed, failed, cancelled"),
        ("[retention]\nstatus = 'failed'", "must be a list of completed, failed, cancelled"),
    ],
)
def test_a_mistake_is_said_with_the_file_and_the_key(where: Paths, text: str, said: str) -> None:
    where.config.write_text(text)
    with pytest.raises(BadInput) as told:
        settings(where)
    assert str(where.config) in str(told.value)
    assert said in str(told.value)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("concurrency = 99999999999999999999", "`concurrency` must be at most 100000, not 9999999"),
        ("concurrency = 100001", "`concurrency` must be at most 100000, not 100001"),
        ("lease = 1e300", "`lease` must be at most 3600, not 1e+300"),
        ("idle_exit = 1e300", "`idle_exit` must be at most 315360000, not 1e+300"),
        (f"idle_exit = {'9' * 4000}", "`idle_exit` must be at most 315360000, not 999"),
        (f"idle_exit = {'9' * 5000}", "is not valid TOML"),
        ("undo = 3601", "`undo` must be at most 3600, not 3601"),
        ("[limits]\ntotal = 100001", "`limits.total`: it must be a number of 100000 or less, not"),
        (
            "[limits]\nagents = { veo = 99999999999999999999 }",
            "`limits.agents`: `veo`: it must be a number of 100000 or less, not 9999",
        ),
        ("[stall]\nask_after = '11y'", "`stall.ask_after`: `11y` is not a duration"),
        ("[stall]\nask_after = '4000d'", "`stall.ask_after`: it must be 3650d or less"),
        (f"[stall]\nask_after = {'9' * 400}", "`stall.ask_after`: it must be 3650d or less"),
        ("[backup]\nkeep = 100001", "`backup.keep`: it must be a number of 100000 or less"),
        ("[retention]\nolder_than = 1e300", "`retention.older_than`: it must be 3650d or less"),
    ],
)
def test_a_number_beyond_all_measure_is_refused_in_a_short_sentence(
    where: Paths, text: str, said: str
) -> None:
    where.config.write_text(text)
    with pytest.raises(BadInput) as told:
        settings(where)
    assert said in str(told.value)
    assert len(str(told.value)) < len(str(where.config)) + 200


def test_the_largest_that_may_be_set_can_be_worked_with(where: Paths) -> None:
    where.config.write_text("concurrency = 100000\nlease = 3600\nidle_exit = 315360000\nundo = 0\n")
    found = settings(where)
    assert (found.concurrency, found.lease, found.idle_exit) == (100_000, 3600, 315_360_000)


def test_a_file_that_is_no_text_is_said(where: Paths) -> None:
    where.config.write_bytes(b"owner = '\xff'")
    with pytest.raises(BadInput, match="cannot be read"):
        settings(where)


def test_a_place_whose_name_is_no_utf8_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    said = r"The folder /data/a\ufffdb cannot be used: its name is not valid UTF-8"
    with pytest.raises(BadInput, match=said) as refused:
        paths({"TASKHUB_HOME": "/data/a\udcffb"})
    assert "TASKHUB_HOME" in str(refused.value.hint)
    monkeypatch.setenv("HOME", "/home/a\udcffn")
    with pytest.raises(BadInput, match="its name is not valid UTF-8"):
        paths({})
    assert paths({"TASKHUB_HOME": "/data/ä–日"}).home == Path("/data/ä–日")


def test_places_follow_taskhub_home(tmp_path: Path) -> None:
    found = paths({"TASKHUB_HOME": str(tmp_path / "x")})
    assert found.database == tmp_path / "x" / "taskhub.db"
    assert found.config == tmp_path / "x" / "config.toml"
    assert found.log("abc") == tmp_path / "x" / "tasks" / "abc" / "log"


def test_a_private_folder_is_private_or_refused(tmp_path: Path) -> None:
    folder = tmp_path / "a" / "b"
    make_private(folder)
    assert folder.stat().st_mode & 0o777 == 0o700
    folder.chmod(0o777)
    make_private(folder)
    assert folder.stat().st_mode & 0o777 == 0o700
    (tmp_path / "file").touch()
    with pytest.raises(StoreError, match="cannot be used"):
        make_private(tmp_path / "file")


def test_folders_above_a_private_one_are_private_too(tmp_path: Path) -> None:
    make_private(tmp_path / "home" / "tasks" / "k3f9")
    for made in ("home", "home/tasks", "home/tasks/k3f9"):
        assert (tmp_path / made).stat().st_mode & 0o777 == 0o700


def test_limits_and_patience_are_read(where: Paths) -> None:
    where.home.mkdir(exist_ok=True)
    where.config.write_text(
        '[limits]\ntotal = 32\nagents = { command = 4, veo = 2 }\n[stall]\nshown_after = "10m"\n'
    )
    found = settings(where)
    assert (found.limits.total, found.limits.agents) == (32, {"command": 4, "veo": 2})
    assert (found.stall.shown_after, found.stall.ask_after) == (600, 900)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[limits]\ntotal = 0", "`limits.total`: it must be a number of 1 or more, not 0"),
        ("[limits]\nagents = 3", "`limits.agents`: it must be a table of agents and numbers"),
        ("[limits.agents]\nveo = 1.5", "`limits.agents`: `veo`: it must be a number of 1 or more"),
        ("[limits]\nall = 3", "`limits.all` is not a setting"),
        ('[stall]\nshown_after = "long"', "`stall.shown_after`: `long` is not a duration"),
        ("[stall]\nask_after = -1", "`stall.ask_after`: it must be 0s or more"),
    ],
)
def test_limits_that_are_none_are_refused_with_their_place(
    where: Paths, text: str, said: str
) -> None:
    where.home.mkdir(exist_ok=True)
    where.config.write_text(text)
    with pytest.raises(BadInput) as refused:
        settings(where)
    assert said in str(refused.value)


@pytest.mark.parametrize(
    ("code", "kind"),
    [(errno.ENOSPC, StoreBusy), (errno.EMFILE, StoreBusy), (errno.EROFS, StoreError)],
)
def test_a_folder_that_cannot_be_made_now_is_another_thing_than_one_that_never_can(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int, kind: type[StoreError]
) -> None:
    def refuse(self: Path, *args: object, **more: object) -> None:
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(Path, "mkdir", refuse)
    with pytest.raises(StoreError, match="cannot be used") as told:
        make_private(tmp_path / "new")
    assert type(told.value) is kind
