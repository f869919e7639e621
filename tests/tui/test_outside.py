"""What an agent has made is handed to the desktop only where that starts no program of its own."""

import sys
from pathlib import Path

import pytest

from taskhub_tui.tui import outside

PNG = b"\x89PNG\r\n\x1a\n\0\0"
ELF = b"\x7fELF\x02\x01\x01\0"


def made(path: Path, data: bytes, mode: int = 0o644) -> outside.Look:
    path.write_bytes(data)
    path.chmod(mode)
    return outside.look(path)


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("report.md", b"# Done\n"),
        ("REPORT.MD", b"# Done\n"),
        ("empty.txt", b""),
        ("prices.csv", "Preis;1 €\n".encode()),
        ("data.json", b"{}"),
        ("trend.png", PNG),
        ("photo.jpeg", b"\xff\xd8\xff\xe0"),
        ("drawn.webp", b"RIFF\1\2\3\4WEBP"),
        ("paper.pdf", b"%PDF-1.7"),
        ("clip.mp4", b"\0\0\0\x20ftypisom"),
        ("clip.webm", b"\x1a\x45\xdf\xa3"),
        ("song.mp3", b"ID3\4"),
    ],
)
def test_what_is_looked_at_read_or_heard_is_handed_over(
    tmp_path: Path, name: str, data: bytes
) -> None:
    assert made(tmp_path / name, data).against == ""


@pytest.mark.parametrize(
    "name",
    ["tool", "tool.sh", "tool.py", "tool.desktop", "tool.AppImage", "tool.exe", "tool.jar",
     "tool.command", "page.html", "page.htm", "picture.svg", "page.xhtml", "sheet.xlsm",
     "notes.md.sh", ".png", "report.md ", "report.pdf\n.desktop"],
)  # fmt: skip
def test_any_other_kind_is_not(tmp_path: Path, name: str) -> None:
    for data in (b"words", ELF, PNG):
        assert made(tmp_path / name, data).against == outside.KINDS


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("report.pdf", ELF),
        ("report.pdf", b"#!/bin/sh\n"),
        ("trend.png", b"<html><script>"),
        ("clip.mp4", b"MZ"),
        ("report.md", ELF),
        ("report.txt", b"#!/bin/sh\nrm -rf ~\n"),
        ("report.txt", b"\n  <!DOCTYPE html><script>"),
        ("data.json", b"<svg onload='x()'>"),
        ("report.txt", b"# mine\n[Desktop Entry]\nExec=rm -rf ~\n"),
    ],
)
def test_nor_is_what_its_name_does_not_say(tmp_path: Path, name: str, data: bytes) -> None:
    assert made(tmp_path / name, data).against == outside.NAMED


def test_nor_is_a_text_that_may_be_run(tmp_path: Path) -> None:
    assert made(tmp_path / "report.txt", b"rm -rf ~\n", 0o755).against == outside.RUNS
    # A picture is none, whatever its mode, such as on a drive that knows no modes.
    assert made(tmp_path / "trend.png", PNG, 0o755).against == ""


def test_a_link_is_what_it_leads_to(tmp_path: Path) -> None:
    (tmp_path / "tool").write_bytes(ELF)
    (tmp_path / "paper.pdf").symlink_to("tool")
    assert outside.look(tmp_path / "paper.pdf").against == outside.NAMED


def test_a_folder_is_opened_but_on_a_mac_only_shown_where_it_lies(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "Tool.app"
    folder.mkdir()
    found = outside.look(folder)
    assert (found.folder, found.against) == (True, "")
    monkeypatch.setattr(sys, "platform", "linux")
    assert outside.command("xdg-open", folder, found) == ["xdg-open", str(folder)]
    monkeypatch.setattr(sys, "platform", "darwin")
    assert outside.command("open", folder, found) == ["open", "-R", str(folder)]


def test_no_name_is_read_as_an_option(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    found = made(Path("-a.txt"), b"words")
    assert outside.command("open", Path("-a.txt"), found) == ["open", str(tmp_path / "-a.txt")]
