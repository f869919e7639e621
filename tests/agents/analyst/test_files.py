"""A file that cannot be used is refused with a sentence: what is wrong, where, what to do."""

import gzip
import os
from pathlib import Path

import pytest

from taskhub_tui.agents.analyst import files
from taskhub_tui.agents.port import AgentError

from .recording import Recorder, analyse

ROWS = "".join(f"2024-01-{n:02d},{n}\n" for n in range(1, 29))

BAD: dict[str, tuple[bytes, str]] = {
    "empty": (b"", r"is empty \(0 bytes\)"),
    "blanks": (b"  \n\n  \n", "nothing but blanks"),
    "binary": (bytes(range(256)) * 40, "is binary, not text"),
    "picture": (b"\x89PNG\r\n\x1a\n" + b"0" * 100, "is a picture, not text"),
    "excel": (b"PK\x03\x04" + b"0" * 100, "Excel workbook"),
    "broken gzip": (gzip.compress(ROWS.encode() * 500)[:200], "is damaged after"),
    "broken parquet": (b"PAR1" + b"0" * 100 + b"PAR1", "is damaged"),
    "no header": (ROWS.encode(), "has no header: line 1"),
    "one line": (b"Date,Price\n", "one line only"),
    "prose": (b"Dear Sir\nhere are no prices\nat all\n", "No column of dates"),
    "no dates": (b"Name,Price\nGold,1\nTin,2\nZinc,3\n", "No column of dates"),
    "no prices": (
        b"Date,Remark\n" + b"".join(b"2024-01-%02d,fine\n" % n for n in range(1, 20)),
        "no column of numbers .*'Date', 'Remark'",
    ),
    "volume only": (
        b"Date,Volume,High\n" + b"".join(b"2024-01-%02d,5,6\n" % n for n in range(1, 20)),
        "are no prices by their names",
    ),
    "two rows": (b"Date,Gold\n2024-01-02,1\n2024-01-03,2\n", "fewer than three dates"),
    "yearly": (
        b"Date,Gold\n" + b"".join(b"%d-12-31,5\n" % n for n in range(1990, 2020)),
        "less often than once a month",
    ),
    "all in the future": (
        b"Date,Gold\n" + b"".join(b"2150-01-%02d,5\n" % n for n in range(1, 20)),
        "not in the future",
    ),
    "dates go bad": (
        (
            "Date,Gold\n"
            + "".join(f"2024-{m:02d}-{d:02d},5\n" for m in range(1, 13) for d in range(1, 29))
            + "".join(f"sometime {n},5\n" for n in range(400, 900))
        ).encode(),
        r"line 338: 'sometime 400' in column 'Date' is no date",
    ),
    "two price columns": (
        b"Date,Ticker,Alpha,Beta\n"
        + b"".join(b"2024-01-%02d,%s,5,6\n" % (n, t) for n in range(1, 20) for t in (b"A", b"B")),
        "cannot be told which column is the price: 'Alpha', 'Beta'",
    ),
}


@pytest.mark.parametrize("name", list(BAD))
async def test_a_bad_file_is_refused_with_a_sentence(tmp_path: Path, name: str) -> None:
    content, sentence = BAD[name]
    (tmp_path / "bad.csv").write_bytes(content)
    with pytest.raises(AgentError, match=sentence) as caught:
        await analyse(tmp_path, upto="quality", file="bad.csv")
    assert "Traceback" not in str(caught.value)
    assert str(caught.value)[-1] == "."
    assert not caught.value.retryable
    assert not list((tmp_path / "data").glob("*.part"))


async def test_a_missing_file_names_what_is_there_instead(tmp_path: Path) -> None:
    (tmp_path / "prices.csv").write_text("Date,Gold\n" + ROWS)
    with pytest.raises(AgentError, match=r"There is no file .*price\.csv.* there is prices\.csv"):
        await analyse(tmp_path, upto="ingest", file="price.csv")


async def test_a_folder_is_no_file(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("Date,Gold\n" + ROWS)
    with pytest.raises(AgentError, match=r"is a folder, not a file.* holds a\.csv"):
        await analyse(tmp_path, upto="ingest", file=".")


async def test_a_pipe_is_refused_without_waiting_on_it(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "p.csv")
    with pytest.raises(AgentError, match="is a device or pipe"):
        await analyse(tmp_path, upto="ingest", file="p.csv")


async def test_one_gigabyte_is_refused_before_it_is_read(tmp_path: Path) -> None:
    with (tmp_path / "huge.csv").open("wb") as file:
        file.truncate(1_000_000_000)
    with pytest.raises(AgentError, match=r"is 1\.0 GB, more than the 200 MB .*max_mb"):
        await analyse(tmp_path, upto="ingest", file="huge.csv")


async def test_a_small_archive_that_unpacks_to_too_much_is_stopped(tmp_path: Path) -> None:
    (tmp_path / "b.csv.gz").write_bytes(gzip.compress(b"Date,Gold\n" + b"2024-01-02,1\n" * 200_000))
    with pytest.raises(AgentError, match="is, unpacked, more than the 1 MB"):
        await analyse(tmp_path, upto="ingest", file="b.csv.gz", max_mb=1)


@pytest.mark.parametrize("value", ["much", 0, -5, "1e9"])
def test_a_limit_that_is_none_is_refused(value: object) -> None:
    with pytest.raises(AgentError, match="option max_mb is"):
        files.limit_of(value, 200)


async def test_without_a_file_it_asks_which(tmp_path: Path) -> None:
    for name in ("a.csv", "b.tsv", "note.txt", ".hidden.csv"):
        (tmp_path / name).write_text("Date,Gold\n" + ROWS)
    ctx, results = await analyse(tmp_path, Recorder({"file": "a.csv"}), upto="ingest")
    (question,) = ctx.asked
    assert question.question == "Which file of prices should I read?"
    assert {choice.id for choice in question.choices} == {"a.csv", "b.tsv"}
    assert results[0].data["instruments"] == 1


async def test_the_answer_may_be_a_path_in_words(tmp_path: Path) -> None:
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "a.csv").write_text("Date,Gold\n" + ROWS)
    ctx, _ = await analyse(tmp_path, Recorder({"file": "deep/a.csv"}), upto="ingest")
    assert ctx.asked[0].choices == ()


def test_a_file_named_in_the_request_is_found(tmp_path: Path) -> None:
    (tmp_path / "my prices.csv").write_text("x")
    (tmp_path / "gold.csv.gz").write_text("x")
    named = files.named_in('Look at "my prices.csv" please', tmp_path)
    assert named == tmp_path / "my prices.csv"
    assert files.named_in("trends of gold.csv.gz, quickly", tmp_path) == tmp_path / "gold.csv.gz"
    assert files.named_in("trends of silver.csv", tmp_path) is None
