"""A copy is saved whole, or not at all; why not is a sentence."""

import errno
import os
import shutil
from pathlib import Path

import pytest
from hubs import Seed, text, until

from taskhub_tui.domain.model import Status
from taskhub_tui.tui import saving
from taskhub_tui.tui.app import TaskHubApp
from taskhub_tui.tui.saving import CannotSave, save, taken, target


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "source"
    path.write_text("new")
    return path


@pytest.fixture
def there(tmp_path: Path) -> Path:
    folder = tmp_path / "there"
    folder.mkdir()
    return folder


def names(folder: Path) -> set[str]:
    """What is in a folder, hidden things too."""
    return set(os.listdir(folder))


def save_as(source: Path, folder: Path, typed: str) -> None:
    save(source, target(source, str(folder), typed), over=False)


def test_a_copy_replaces_nothing_unless_it_is_to(source: Path, there: Path) -> None:
    old = there / "b"
    old.write_text("old")
    old.chmod(0o640)
    assert taken(source, old)
    with pytest.raises(CannotSave, match="is there already"):
        save(source, old, over=False)
    assert old.read_text() == "old"
    save(source, old, over=True)
    assert old.read_text() == "new"
    assert old.stat().st_mode & 0o777 == 0o640
    assert names(there) == {"b"}


def test_a_link_is_replaced_and_what_it_leads_to_left_alone(
    source: Path, there: Path, tmp_path: Path
) -> None:
    (tmp_path / "mine").write_text("mine")
    (there / "link").symlink_to(tmp_path / "mine")
    assert taken(source, there / "link")
    with pytest.raises(CannotSave, match="is there already"):
        save(source, there / "link", over=False)
    save(source, there / "link", over=True)
    assert (tmp_path / "mine").read_text() == "mine"
    assert (there / "link").read_text() == "new"


def test_a_folder_is_copied_with_its_links_as_links(tmp_path: Path, there: Path) -> None:
    folder = tmp_path / "made"
    (folder / "deep").mkdir(parents=True)
    (folder / "deep" / "file").write_text("words")
    (folder / "round").symlink_to(".")
    (folder / "lost").symlink_to("/nowhere")
    save(folder, there / "copy", over=False)
    assert (there / "copy" / "deep" / "file").read_text() == "words"
    assert os.readlink(there / "copy" / "round") == "."
    assert os.readlink(there / "copy" / "lost") == "/nowhere"
    assert names(there) == {"copy"}


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ("gone/copy", "/gone is not there. Make it first, or name another"),
        ("file/copy", "a part of the path is a file|/file is a file, not a folder"),
        ("x" * 300, "the name is too long"),
        ("~nobody-of-this-name/copy", "names no home folder"),
        ("round/copy", "links lead in a circle|/round is not there"),
        ("a\0b", "no zero byte"),
    ],
)
def test_where_no_file_can_be_is_said(source: Path, there: Path, typed: str, said: str) -> None:
    (there / "file").touch()
    (there / "round").symlink_to("round")
    with pytest.raises(CannotSave, match=said):
        save_as(source, there, typed)
    assert names(there) == {"file", "round"}


def test_a_folder_means_a_file_in_it(source: Path, there: Path) -> None:
    for typed in (str(there), f"{there}/", "../there"):
        assert target(source, str(there), typed).resolve() == there / "source"


@pytest.mark.parametrize("what", ["folder", "pipe", "device", "itself"])
def test_what_is_never_replaced_is_not_asked_about(source: Path, there: Path, what: str) -> None:
    path = there / what
    if what == "folder":
        path.mkdir()
    elif what == "pipe":
        os.mkfifo(path)
    elif what == "itself":
        path.hardlink_to(source)
    else:
        path = Path("/dev/null")
    with pytest.raises(CannotSave, match="Give another name"):
        taken(source, path)


def test_a_folder_never_replaces_a_file_nor_goes_into_itself(tmp_path: Path, there: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(CannotSave, match="is there already, and is a file"):
        taken(there, tmp_path / "file")
    with pytest.raises(CannotSave, match="cannot be saved inside itself"):
        save(there, there / "copy", over=False)
    assert names(there) == set()


@pytest.mark.parametrize("folder", [False, True])
@pytest.mark.parametrize("over", [False, True])
@pytest.mark.parametrize(
    ("number", "said"),
    [(errno.ENOSPC, "the disk is full"), (errno.EIO, "input/output error")],
)
def test_nothing_is_left_of_a_copy_that_could_not_be_finished(
    source: Path, there: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    folder: bool, over: bool, number: int, said: str,
) -> None:  # fmt: skip
    def fails(file, made, size: int = 0) -> None:
        made.write(file.read(1))
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(shutil, "copyfileobj", fails)
    (there / "b").write_text("old")
    what = source
    if folder:
        what = tmp_path / "made"
        what.mkdir()
        for one in ("x", "y"):
            (what / one).write_text("words")
    with pytest.raises(CannotSave, match=f"It cannot be saved there: {said}"):
        save(what, there / ("b" if over else "c"), over=over)
    assert names(there) == {"b"}
    assert (there / "b").read_text() == "old"


@pytest.mark.parametrize(
    ("number", "said"),
    [(errno.EACCES, "you may not write there"), (errno.EROFS, "nothing can be written there")],
)
def test_a_folder_that_may_not_be_written_in_is_said(
    source: Path, there: Path, monkeypatch: pytest.MonkeyPatch, number: int, said: str
) -> None:
    def refuses(**_: object) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(saving.tempfile, "mkdtemp", refuses)
    with pytest.raises(CannotSave, match=said):
        save(source, there / "copy", over=False)


def test_a_disk_without_links_is_saved_on_as_well(
    source: Path, there: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuses(self: Path, to: Path) -> None:
        raise OSError(errno.EPERM, os.strerror(errno.EPERM))

    monkeypatch.setattr(Path, "hardlink_to", refuses)
    save(source, there / "copy", over=False)
    assert (there / "copy").read_text() == "new"
    assert names(there) == {"copy"}


async def test_what_is_wrong_stands_beside_the_field_until_it_is_right(
    app: TaskHubApp, seed: Seed, source: Path, there: Path
) -> None:
    task = await seed.put("Analyse", Status.COMPLETED, workdir=str(there))
    await seed.files(task, source)
    async with app.run_test(size=(120, 30), notifications=True) as pilot:
        await until(pilot, lambda: "Analyse" in text(app))
        await pilot.press("enter", "3", "s")
        await until(pilot, lambda: "Save as" in text(app), seconds=20)
        for typed, said in (
            ("gone/copy", "is not there. Make it first"),
            ("x" * 300, "the name is too long"),
            ("", "Where to? Type a path"),
        ):
            await pilot.press("ctrl+u", "ctrl+k", *typed, "enter")
            await until(pilot, lambda said=said: said in text(app), seconds=20)
        await pilot.press(*"copy", "enter")
        await until(pilot, lambda: len(app.screen_stack) == 1, seconds=20)
        await until(pilot, lambda: "Saved" in text(app), seconds=20)
    assert (there / "copy").read_text() == "new"
