"""Secrets are references; what they name is read only from where nobody else can."""

import os
import pickle
import traceback
from pathlib import Path

import keyring
import pytest

from taskhub_tui import secrets
from taskhub_tui.domain.errors import BadInput

VALUE = "tk_hush-hush-0123456789"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "token"
    path.write_text(VALUE + "\n")
    path.chmod(0o600)
    return path


def test_a_variable_is_read() -> None:
    assert secrets.read("env:TASKHUB_TOKEN", {"TASKHUB_TOKEN": VALUE}).value == VALUE


def test_a_private_file_is_read_without_its_line_break(file: Path) -> None:
    assert secrets.read(f"file:{file}").value == VALUE


def test_a_home_folder_may_be_written_short(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(file.parent))
    assert secrets.read("file:~/token").value == VALUE


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o644, 0o660, 0o622])
def test_a_file_that_others_can_get_at_is_refused(file: Path, mode: int) -> None:
    file.chmod(mode)
    with pytest.raises(BadInput, match=f"its mode is {mode:04o}") as caught:
        secrets.read(f"file:{file}")
    assert caught.value.hint == f"chmod 600 {file}"


def test_a_folder_a_pipe_and_nothing_are_no_files(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe", 0o600)
    for path, what in ((tmp_path, "a folder"), (tmp_path / "pipe", "a named pipe")):
        with pytest.raises(BadInput, match=f"cannot be read: it is {what}"):
            secrets.read(f"file:{path}")
    with pytest.raises(BadInput, match="cannot be read: no such file"):
        secrets.read(f"file:{tmp_path / 'nothing'}")


def test_a_file_that_holds_something_else_is_refused(file: Path) -> None:
    file.write_bytes(b"\xff\xfe")
    with pytest.raises(BadInput, match="not text"):
        secrets.read(f"file:{file}")
    file.write_text("one\ntwo\n")
    with pytest.raises(BadInput, match="line breaks"):
        secrets.read(f"file:{file}")
    file.write_text(" \n")
    with pytest.raises(BadInput, match="empty"):
        secrets.read(f"file:{file}")
    file.write_text("x" * 9000)
    with pytest.raises(BadInput, match="too large"):
        secrets.read(f"file:{file}")


class Ring:
    """A keyring of the test's own: the machine of a test has none."""

    priority = 9

    def __init__(self, kept: dict[tuple[str, str], str] | None) -> None:
        self.kept = kept

    def get_password(self, service: str, name: str) -> str | None:
        if self.kept is None:
            raise RuntimeError("no Secret Service")
        return self.kept.get((service, name))


def test_the_keyring_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keyring, "get_password", Ring({("taskhub/mail", "me"): VALUE}).get_password)
    assert secrets.read("keyring:taskhub/mail/me").value == VALUE
    with pytest.raises(BadInput, match="has no secret for taskhub/you") as caught:
        secrets.read("keyring:taskhub/you")
    assert caught.value.hint == "keyring set taskhub you"
    monkeypatch.setattr(keyring, "get_password", Ring(None).get_password)
    with pytest.raises(BadInput, match="cannot be read: no Secret Service"):
        secrets.read("keyring:taskhub/me")


@pytest.mark.parametrize(
    "wrong", [VALUE, "", "env", "env:", "env:A B", "keyring:a", "keyring:/a", "file:token", "x:y"]
)
def test_what_is_no_reference_is_refused_and_not_repeated(wrong: str) -> None:
    with pytest.raises(BadInput) as caught:
        secrets.check(wrong)
    assert VALUE not in f"{caught.value} {caught.value.hint}"
    assert "env:NAME" in (caught.value.hint or "")


def test_a_variable_that_commands_inherit_holds_no_secret() -> None:
    for name in ("PATH", "LC_MINE", "XDG_MINE"):
        with pytest.raises(BadInput, match=f"inherit the variable {name}"):
            secrets.read(f"env:{name}", {name: VALUE})


def test_a_variable_that_is_not_set_says_where_to_set_it() -> None:
    with pytest.raises(BadInput, match="TASKHUB_TOKEN is not set") as caught:
        secrets.read("env:TASKHUB_TOKEN", {})
    assert "taskhub worker --stop" in (caught.value.hint or "")


def test_a_secret_shows_itself_to_nobody() -> None:
    secret = secrets.Secret(VALUE)
    try:
        raise RuntimeError(f"{secret} {secret!r} {[secret]} {secret:>40} {secret!s}")
    except RuntimeError:
        assert VALUE not in traceback.format_exc()
    with pytest.raises(TypeError, match="not written"):
        pickle.dumps(secret)
    assert secret.hide(f"wrong token {VALUE}!") == "wrong token ***!"
