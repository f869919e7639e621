"""The playbooks that ship do what they say, under the real engine."""

import hashlib
import json
import os
import tarfile
import tomllib
from importlib import resources
from pathlib import Path

import pytest

from taskhub_tui.domain.playbook import Playbook, PlaybookStage, parse

SHIPPED = sorted(
    Path(str(entry))
    for entry in (resources.files("taskhub_tui") / "playbooks").iterdir()
    if entry.name.endswith(".toml")
)


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_a_playbook_is_named_as_its_file_and_limits_its_stages(path: Path) -> None:
    book = parse(tomllib.loads(path.read_text(encoding="utf-8")), path.name)
    assert book.name == path.stem
    assert book.description
    for spec in book.specs():
        assert spec.timeout, spec.name


def test_the_example_in_the_docs_can_be_used_and_every_key_is_explained() -> None:
    page = (Path(__file__).parents[2] / "docs" / "playbooks.md").read_text(encoding="utf-8")
    example = page.split("```toml\n")[1].split("```")[0]
    assert [spec.name for spec in parse(tomllib.loads(example), "docs").specs()] == [
        "test", "build", "publish"
    ]  # fmt: skip
    keys = (set(Playbook.model_fields) - {"stage"}) | set(PlaybookStage.model_fields)
    assert [key for key in sorted(keys) if f"`{key}`" not in page] == []
    assert [path.stem for path in SHIPPED if f"### {path.stem}\n" not in page] == []


def test_the_analyst_finds_its_stages_by_name() -> None:
    path = next(path for path in SHIPPED if path.stem == "data-report")
    specs = parse(tomllib.loads(path.read_text(encoding="utf-8")), path.name).specs()
    names = [spec.name for spec in specs if spec.agent == "analyst"]
    assert names == ["ingest", "quality", "trends", "risk", "report"]
    assert [spec.name for spec in specs if spec.review] == ["report"]


@pytest.fixture
def notes(home: Path) -> Path:
    """A folder worth keeping, with names that break careless scripts."""
    folder = Path("my notes").absolute()
    (folder / "deep").mkdir(parents=True)
    for i in range(30):
        (folder / "deep" / f"page {i}.txt").write_text(f"page {i}\n")
    (folder / "-rf *").write_text("an odd name\n")
    (folder / "$(touch owned)").write_text("another\n")
    return folder


def test_backup_archives_verifies_and_removes_what_was_approved(notes: Path, cli) -> None:
    store = Path("store").absolute()
    store.mkdir()
    old = []
    for number, name in enumerate(("aaaaaaaa", "bbbbbbbb", "cccccccc")):
        archive = store / f"my notes-{name}.tar.gz"
        archive.write_bytes(b"old")
        os.utime(archive, (1e9 + number, 1e9 + number))
        old.append(archive)
    other = store / "my notes-of-others.tar.gz"
    other.write_bytes(b"not ours")
    os.utime(other, (1, 1))
    begun = cli(
        "add", "--playbook", "backup", "-C", str(notes),
        "--option", f'env={{TO="{store}", KEEP="2"}}',
    )  # fmt: skip
    task_id = begun.out.strip()
    assert cli("wait", task_id, "--until", "blocked").code == 13

    archive = store / f"my notes-{task_id}.tar.gz"
    with tarfile.open(archive) as tar:
        names = {member.name for member in tar if member.isfile()}
    assert names == {f"./deep/page {i}.txt" for i in range(30)} | {"./-rf *", "./$(touch owned)"}
    told = archive.with_name(f"{archive.name}.sha256").read_text().split()[0]
    assert told == hashlib.sha256(archive.read_bytes()).hexdigest()
    assert all(path.exists() for path in old)

    assert cli("approve", task_id).code == 0
    assert cli("wait", task_id).code == 0
    assert [path.exists() for path in old] == [False, False, True]
    assert other.exists()
    assert archive.exists()
    assert cli("open", task_id, "--print").out.strip() == str(archive)
    assert not (notes / "owned").exists()


def test_backup_refuses_to_put_archives_into_what_it_archives(notes: Path, cli) -> None:
    task_id = cli(
        "add", "--playbook", "backup", "-C", str(notes),
        "--option", f'env={{TO="{notes}/deep"}}',
    ).out.strip()  # fmt: skip
    assert cli("wait", task_id).code == 10
    assert "would lie in the folder" in cli("logs", task_id).out


def test_data_report_freezes_the_newest_file(home: Path, cli) -> None:
    book = next(path for path in SHIPPED if path.stem == "data-report").read_text()
    # Its command stages alone: the analyst has tests of its own, and may not be installed.
    stages = [part for part in book.split("[[stage]]\n")[1:] if 'agent = "command"' in part]
    assert len(stages) == 2
    Path("frozen.toml").write_text("[[stage]]\n".join(['name = "frozen"\n', *stages]))
    Path("old.csv").write_text("date,price\n")
    os.utime("old.csv", (1, 1))
    Path("new.csv").write_bytes(b"date,price\r\n2031-01-01,1\r\n\r\n2031-01-02,2\r\n")
    task_id = cli("add", "--playbook", "frozen.toml").out.strip()
    assert cli("wait", task_id).code == 0, cli("logs", task_id).out
    shown = json.loads(cli("show", task_id, "--json").out)
    assert shown["stage_list"][0]["output"]["text"] == "2 rows of new.csv"
    pack = next(Path(one["path"]) for one in shown["artifacts"])
    with tarfile.open(pack) as tar:
        frozen = tar.extractfile("./taskhub-prices.csv")
        assert frozen is not None
        assert frozen.read() == b"date,price\n2031-01-01,1\n2031-01-02,2\n"
        sums = tar.extractfile("./SHA256SUMS")
        assert sums is not None
        assert b"taskhub-prices.csv" in sums.read()
    assert not Path("taskhub-prices.csv").exists()
    assert Path("new.csv").exists()


DOCS = Path(__file__).parents[2] / "docs"
SNIPPETS = [
    (page.name, block.partition("```")[0])
    for page in sorted(DOCS.glob("*.md"))
    for block in page.read_text(encoding="utf-8").split("```toml\n")[1:]
]


@pytest.mark.parametrize(("page", "snippet"), SNIPPETS)
def test_what_the_pages_show_of_stages_is_read(page: str, snippet: str) -> None:
    table = tomllib.loads(snippet)
    if page in ("playbooks.md", "command.md"):
        parse({"name": "shown", **table}, page)
