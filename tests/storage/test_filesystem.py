"""A database on a network file system is refused in words, before it is damaged."""

from pathlib import Path

import pytest

from taskhub_tui.domain.errors import StoreError
from taskhub_tui.storage import filesystem
from taskhub_tui.storage.store import Store


@pytest.fixture
def mounts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A list of mounts as the kernel writes it; every folder seems to be on no disk."""
    places = [
        ("/", "overlay"),
        (str(tmp_path), "tmpfs"),
        (str(tmp_path / "net"), "nfs4"),
        (str(tmp_path / "my share").replace(" ", "\\040"), "cifs"),
        (str(tmp_path / "net" / "local"), "xfs"),
        (str(tmp_path / "twice"), "nfs"),
        (str(tmp_path / "twice"), "ext4"),
    ]
    file = tmp_path / "mountinfo"
    lines = [
        f"{i} 1 0:{i} / {place} rw,relatime shared:1 - {kind} source rw\n"
        for i, (place, kind) in enumerate(places)
    ]
    file.write_text("half a line\n" + "".join(lines))
    monkeypatch.setattr("os.major", lambda device: 0)
    return file


@pytest.mark.parametrize(
    ("folder", "kind"),
    [
        ("", "tmpfs"),
        ("network", "tmpfs"),
        ("net", "nfs4"),
        ("net/not/yet/there", "nfs4"),
        ("net/local/hub", "xfs"),
        ("my share/hub", "cifs"),
        ("twice", "ext4"),
    ],
)
def test_the_innermost_mount_counts(mounts: Path, tmp_path: Path, folder: str, kind: str) -> None:
    for made in ("net/local", "my share", "twice", "network"):
        (tmp_path / made).mkdir(parents=True, exist_ok=True)
    assert filesystem.kind(tmp_path / folder, mounts) == kind


def test_a_link_to_a_network_folder_is_seen_through(mounts: Path, tmp_path: Path) -> None:
    (tmp_path / "net").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "net")
    assert filesystem.kind(tmp_path / "link" / "hub", mounts) == "nfs4"


def test_a_system_without_a_list_of_mounts_is_trusted(mounts: Path, tmp_path: Path) -> None:
    assert filesystem.kind(tmp_path, tmp_path / "nowhere") == ""


async def test_a_database_over_a_network_is_refused_unless_accepted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(filesystem, "kind", lambda folder: "nfs4")
    path = tmp_path / "hub" / "taskhub.db"
    with pytest.raises(StoreError, match=r"network file system \(nfs4\)") as told:
        await Store.open(path)
    assert "TASKHUB_HOME" in str(told.value.hint)
    assert not path.parent.exists()
    monkeypatch.setenv(filesystem.ACCEPT, "1")
    await (await Store.open(path)).close()
