"""Only files are read: nothing waits for a pipe, nothing touches a device."""

import os
import socket
from pathlib import Path

import pytest

from taskhub_tui.regular import NotAFile, open_regular, why


def test_a_file_is_read_also_through_a_link(tmp_path: Path) -> None:
    (tmp_path / "report").write_bytes(b"words")
    (tmp_path / "link").symlink_to("report")
    with open_regular(tmp_path / "link") as file:
        assert file.read() == b"words"


def test_a_pipe_that_nobody_writes_into_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "link").symlink_to("pipe")
    for name in ("pipe", "link"):
        with pytest.raises(NotAFile) as refused:
            open_regular(tmp_path / name)
        assert why(refused.value) == "it is a named pipe, not a file"


@pytest.mark.parametrize(
    ("path", "said"), [("/dev/zero", "a device"), ("/dev/tty", "a device"), (".", "a folder")]
)
def test_what_is_no_file_is_named(path: str, said: str) -> None:
    with pytest.raises(NotAFile, match=f"it is {said}, not a file"):
        open_regular(Path(path))


def test_a_socket_is_no_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)  # A socket's name is short.
    with socket.socket(socket.AF_UNIX) as bound:
        bound.bind("socket")
        with pytest.raises(NotAFile, match="it is a socket, not a file"):
            open_regular(Path("socket"))


@pytest.mark.parametrize("name", ["gone", "zero\0byte"])
def test_a_name_of_nothing_is_not_found(tmp_path: Path, name: str) -> None:
    with pytest.raises(FileNotFoundError):
        open_regular(tmp_path / name)


def test_no_descriptor_is_left_open(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "report").write_bytes(b"words")
    os.mkfifo(tmp_path / "pipe")
    seen = os.stat
    # It becomes a pipe between the look at it and the opening.
    monkeypatch.setattr(os, "stat", lambda path: seen(tmp_path / "report"))
    before = set(os.listdir("/proc/self/fd"))
    with pytest.raises(NotAFile):
        open_regular(tmp_path / "pipe")
    assert set(os.listdir("/proc/self/fd")) == before
