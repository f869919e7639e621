"""The agent: asks about holes, can repeat any stage, stays safe with hostile names."""

import asyncio
import json
import re
import shutil
import subprocess
import sys
from datetime import date, timedelta
from pathlib import Path

import pytest

from taskhub_tui.agents.analyst import AGENT, Analyst
from taskhub_tui.agents.analyst.card import STEPS
from taskhub_tui.agents.analyst.markdown import safe
from taskhub_tui.agents.port import AgentError, Answer
from taskhub_tui.samples import SAMPLE_REQUEST, sample_path

from .recording import Recorder, analyse, stage

WEEKDAYS = [d for n in range(500) if (d := date(2023, 1, 2) + timedelta(days=n)).weekday() < 5]


def write(home: Path, names: list[str], empty: dict[str, set[date]] | None = None) -> None:
    """Prices from January 2023 to May 2024; the last complete quarter is Q1 2024."""
    head = ",".join(["Date", *(f'"{name.replace(chr(34), chr(34) * 2)}"' for name in names)])
    lines = [head]
    for n, day in enumerate(WEEKDAYS):
        cells = [
            "" if day in (empty or {}).get(name, set()) else f"{100 + 3 * k + (n * (k + 7)) % 11}"
            for k, name in enumerate(names)
        ]
        lines.append(",".join([str(day), *cells]))
    (home / "p.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")


FEBRUARY = {d for d in WEEKDAYS if date(2024, 2, 5) <= d <= date(2024, 2, 16)}


def test_the_card_is_read_without_the_libraries() -> None:
    code = (
        "import sys; from taskhub_tui.agents.analyst import AGENT; print(AGENT.card.name, "
        "[m for m in ('polars', 'matplotlib', 'plotext', 'numpy') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "analyst []"
    assert [s.name for s in AGENT.card.stages] == list(STEPS)
    assert AGENT.card.problem is None


def test_a_missing_library_is_a_problem_with_a_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("taskhub_tui.agents.analyst.card.find_spec", lambda name: None)
    assert "pip install 'taskhub-tui[analyst]'" in str(Analyst().card.problem)


async def test_the_sample_report_is_made_without_a_question(tmp_path: Path) -> None:
    ctx, results = await analyse(tmp_path, file=str(sample_path()), request=SAMPLE_REQUEST)
    assert not ctx.asked
    assert ctx.artifacts["report.md"].main
    text = ctx.artifacts["report.md"].path.read_text()
    for picture in re.findall(r"!\[.*?\]\((.*?)\)", text):
        assert (tmp_path / "out" / picture).read_bytes().startswith(b"\x89PNG")
        plot = (tmp_path / "out" / picture).with_suffix(".txt").read_text()
        assert "\x1b" not in plot
        assert max(map(len, plot.splitlines())) <= 95
    assert "Q4 2018" in results[-1].text
    assert ctx.fractions[-1] == 1.0


async def test_figures_of_the_sample_agree_with_the_file(tmp_path: Path) -> None:
    await analyse(tmp_path, file=str(sample_path()))
    figures = json.loads((tmp_path / "out" / "figures.json").read_text())
    rows = [line.split(",") for line in sample_path().read_text().splitlines()[1:]]
    for column, name in ((1, "WTI"),):
        known = [(row[0], float(row[column])) for row in rows if row[column] != "."]
        base = [p for d, p in known if d < "2018-10-01"][-1]
        last = [p for d, p in known if d <= "2018-12-31"][-1]
        (found,) = [e for e in figures["trends"]["instruments"] if e["name"] == name]
        assert found["now"]["percent"] == pytest.approx(last / base - 1)
        assert found["averages"]["20"] == pytest.approx(
            sum([p for d, p in known if d <= "2018-12-31"][-20:]) / 20
        )


async def test_every_stage_can_be_repeated_alone_with_the_same_outcome(tmp_path: Path) -> None:
    write(tmp_path, ["Gold", "Tin", "Zinc"])
    _, results = await analyse(tmp_path, file="p.csv")

    def files() -> dict[str, bytes]:
        folders = (tmp_path / "data", tmp_path / "out")
        return {p.name: p.read_bytes() for f in folders for p in f.iterdir()}

    before = files()
    for name, first in zip(STEPS, results, strict=True):
        again = await Analyst().run(stage(tmp_path, name, file="p.csv"), Recorder())
        assert again == first
        assert files() == before


async def test_a_stage_whose_inputs_are_gone_makes_them_again(tmp_path: Path) -> None:
    write(tmp_path, ["Gold", "Tin"])
    _, results = await analyse(tmp_path, file="p.csv")
    shutil.rmtree(tmp_path / "data")
    again = await Analyst().run(stage(tmp_path, "report", file="p.csv"), Recorder())
    assert again == results[-1]


async def test_a_stage_of_another_name_does_the_whole_work(tmp_path: Path) -> None:
    write(tmp_path, ["Gold", "Tin"])
    ctx = Recorder()
    await Analyst().run(stage(tmp_path, "look at prices", file="p.csv"), ctx)
    assert ctx.artifacts["report.md"].main
    assert ctx.fractions == sorted(ctx.fractions)


@pytest.mark.parametrize(
    ("choice", "said"),
    [
        ("drop", "10 dates dropped for all instruments"),
        ("carry", "10 prices carried forward"),
        ("leave", "left out: Tin"),
        ("keep", "kept as they are"),
        ("please carry the last price forward", "10 prices carried forward"),
    ],
)
async def test_holes_that_change_the_answer_are_asked_about(
    tmp_path: Path, choice: str, said: str
) -> None:
    write(tmp_path, ["Gold", "Tin"], {"Tin": FEBRUARY})
    ctx, _ = await analyse(tmp_path, Recorder({"holes": choice}), file="p.csv")
    (question,) = ctx.asked
    assert question.key == "holes"
    assert "Tin (Q1 2024): 10 of 65 prices are missing; 10 in a row" in question.question
    assert [c.id for c in question.choices] == ["drop", "carry", "leave", "keep"]
    report = (tmp_path / "out" / "report.md").read_text()
    assert said in report
    assert "by your answer" in report


async def test_the_option_answers_the_question_beforehand(tmp_path: Path) -> None:
    write(tmp_path, ["Gold", "Tin"], {"Tin": FEBRUARY})
    ctx, _ = await analyse(tmp_path, file="p.csv", holes="carry")
    assert not ctx.asked
    assert "(by the option holes)" in (tmp_path / "out" / "report.md").read_text()


async def test_one_lost_day_in_the_middle_is_not_asked_about(tmp_path: Path) -> None:
    write(tmp_path, ["Gold", "Tin"], {"Tin": {date(2024, 2, 6)}})
    ctx, _ = await analyse(tmp_path, file="p.csv")
    assert not ctx.asked


async def test_the_last_day_of_the_period_missing_is_asked_about(tmp_path: Path) -> None:
    write(tmp_path, ["Gold", "Tin"], {"Tin": {date(2024, 3, 29)}})
    ctx, _ = await analyse(tmp_path, Recorder({"holes": "keep"}), file="p.csv")
    assert "the last date, 2024-03-29, is missing" in ctx.asked[0].question


@pytest.mark.parametrize(
    ("answer", "sentence"),
    [
        (Answer("decline"), "was not answered"),
        (Answer("accept", text="blue"), "does not say what to do"),
    ],
)
async def test_no_answer_ends_the_stage_with_a_sentence(
    tmp_path: Path, answer: Answer, sentence: str
) -> None:
    write(tmp_path, ["Gold", "Tin"], {"Tin": FEBRUARY})
    with pytest.raises(AgentError, match=sentence):
        await analyse(tmp_path, Recorder({"holes": answer}), file="p.csv")


async def test_when_all_have_holes_none_can_be_left_out(tmp_path: Path) -> None:
    write(tmp_path, ["Gold", "Tin"], {"Tin": FEBRUARY, "Gold": {date(2024, 3, 29)}})
    with pytest.raises(AgentError, match="none is left"):
        await analyse(tmp_path, file="p.csv", holes="leave")


async def test_dates_with_two_readings_are_asked_about(tmp_path: Path) -> None:
    lines = [f"{d:02d}/{m:02d}/2024,{d}" for d in (1, 5, 9, 12) for m in (2, 3, 4, 7, 11)]
    (tmp_path / "p.csv").write_text("Date,Gold\n" + "\n".join(lines) + "\n")
    ctx, results = await analyse(
        tmp_path, Recorder({"dates": "month"}), upto="ingest", file="p.csv"
    )
    assert [c.label for c in ctx.asked[0].choices] == [
        "01 February 2024 (day first)",
        "02 January 2024 (month first)",
    ]
    assert results[0].data["first"] == "2024-01-02"


async def test_a_negative_price_is_reported_and_does_no_harm(tmp_path: Path) -> None:
    write(tmp_path, ["Oil"])
    text = (tmp_path / "p.csv").read_text()
    line = next(row for row in text.splitlines() if row.startswith("2024-02-20"))
    (tmp_path / "p.csv").write_text(text.replace(line, "2024-02-20,-36.98"))
    await analyse(tmp_path, file="p.csv")
    report = (tmp_path / "out" / "report.md").read_text()
    assert "1 price at or below zero" in report
    assert "Log returns are not defined" in report
    json.loads((tmp_path / "out" / "figures.json").read_text())


async def test_an_error_in_typing_is_listed_as_an_outlier_that_reverts(tmp_path: Path) -> None:
    write(tmp_path, ["Oil"])
    text = (tmp_path / "p.csv").read_text()
    line = next(row for row in text.splitlines() if row.startswith("2024-02-20"))
    (tmp_path / "p.csv").write_text(text.replace(line, "2024-02-20,99999"))
    await analyse(tmp_path, file="p.csv")
    assert "reverts at once" in (tmp_path / "out" / "report.md").read_text()


async def test_forty_instruments_are_drawn_as_a_few_and_said(tmp_path: Path) -> None:
    write(tmp_path, [f"Fund {n}" for n in range(40)])
    await analyse(tmp_path, file="p.csv")
    report = (tmp_path / "out" / "report.md").read_text()
    assert "8 of 40 instruments are drawn: the best and the worst of the period." in report
    assert "12 of 40 instruments are drawn" in report


HOSTILE = [
    "[x](javascript:1)",
    "a|b",
    "<script>alert(1)</script>",
    "\x1b[31mred\x1b]8;;http://e.vil\x07link",
    "**bold** `code` $\\frac{1}{2}$",
    "http://e.vil/?a=1&b=2",
    "![p](x.png)",
    "日経平均 🚀",
]


async def test_hostile_names_stay_words(tmp_path: Path) -> None:
    write(tmp_path, HOSTILE)
    ctx, results = await analyse(tmp_path, file="p.csv")
    report = (tmp_path / "out" / "report.md").read_text()
    assert "\x1b" not in report + "".join(ctx.lines) + "".join(r.text for r in results)
    assert "](javascript" not in report
    assert "<script" not in re.sub(r"\\<", "", report)
    assert re.findall(r"(?<!\\)!\[[^\n]*?(?<!\\)\]\((.*?)\)", report) == [
        "prices.png",
        "trends.png",
        "drawdown.png",
        "volatility.png",
        "correlation.png",
    ]
    for block in re.findall(r"(?:^\|.*\n)+", report, re.MULTILINE):
        bars = {len(re.findall(r"(?<!\\)\|", line)) for line in block.splitlines()}
        assert len(bars) == 1
    for plot in (tmp_path / "out").glob("*.txt"):
        assert "\x1b" not in plot.read_text()


@pytest.mark.parametrize("name", ["1. gold", "- gold", "+1", "_a_", "~~x~~", "# h", "a & b", "> q"])
def test_a_name_reads_as_it_is_written(name: str) -> None:
    from markdown_it import MarkdownIt

    tokens = MarkdownIt("gfm-like", {"linkify": False}).parse(safe(name))
    assert [t.type for t in tokens] == ["paragraph_open", "inline", "paragraph_close"]
    assert "".join(c.content for c in tokens[1].children or []) == name


async def test_cancelling_ends_the_work_and_leaves_no_half_file(tmp_path: Path) -> None:
    write(tmp_path, [f"Fund {n}" for n in range(40)])
    await analyse(tmp_path, upto="risk", file="p.csv")
    ctx = Recorder()
    task = asyncio.create_task(Analyst().run(stage(tmp_path, "report"), ctx))
    while not (tmp_path / "out" / "prices.png").exists():
        await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    heard = len(ctx.fractions)
    await asyncio.get_running_loop().shutdown_default_executor()
    assert len(ctx.fractions) == heard
    assert not (tmp_path / "out" / "report.md").exists()
    assert not list((tmp_path / "out").glob(".*"))


async def test_a_folder_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    write(tmp_path, ["Gold", "Tin"])
    (tmp_path / "out").write_text("in the way")
    with pytest.raises(AgentError, match="cannot be written"):
        await analyse(tmp_path, file="p.csv")


def series(step: int, count: int, start: date = date(2022, 1, 3)) -> list[date]:
    return [start + timedelta(days=step * n) for n in range(count)]


ODD = {
    "weekly": ({"A": series(7, 120), "B": series(7, 120)}, "weekly prices"),
    "seven days beside five": ({"A": series(1, 700), "B": [*WEEKDAYS, date(2024, 5, 17)]}, "daily"),
    "daily beside monthly": (
        {"A": series(1, 700), "B": [date(2022 + n // 12, n % 12 + 1, 15) for n in range(23)]},
        "all are compared monthly",
    ),
    "begins late": (
        {"A": series(1, 700), "B": series(1, 100, date(2023, 8, 26))},
        "B begins on 2023-08-26",
    ),
    "ended long ago": (
        {"A": series(1, 700), "B": series(1, 100)},
        "have no price in the period, or only one so far: B",
    ),
    "three rows": ({"A": series(1, 3)}, "hold no complete quarter"),
}


@pytest.mark.parametrize("name", list(ODD))
async def test_unusual_calendars_are_reported_and_said(tmp_path: Path, name: str) -> None:
    table, said = ODD[name]
    lines = ["Day,Ticker,Value"]
    lines += [
        f"{day},{key},{100 + n % 9}" for key, days in table.items() for n, day in enumerate(days)
    ]
    (tmp_path / "p.csv").write_text("\n".join(lines) + "\n")
    await analyse(tmp_path, file="p.csv", holes="keep")
    assert said in (tmp_path / "out" / "report.md").read_text()


async def test_prices_that_stand_still_are_no_trouble(tmp_path: Path) -> None:
    rows = [f"{day},5" for day in WEEKDAYS]
    (tmp_path / "p.csv").write_text("\n".join(["Date,Gold", *rows]))
    await analyse(tmp_path, file="p.csv")
    report = (tmp_path / "out" / "report.md").read_text()
    assert "did not change" in report
    assert "outliers cannot be told: Gold" in report


async def test_what_is_suggested_next_stands_on_findings_and_can_be_done(tmp_path: Path) -> None:
    ctx, results = await analyse(tmp_path, file=str(sample_path()))
    suggested = results[-1].data["follow_ups"]
    assert 1 <= len(suggested) <= 3
    figures = json.loads(ctx.artifacts["figures.json"].path.read_text())
    deepest = min(figures["risk"]["instruments"], key=lambda e: e["fall_all"]["depth"])
    (fall,) = [one for one in suggested if one["title"].startswith("The deepest fall")]
    assert deepest["name"] in fall["request"]
    period = f"{deepest['fall_all']['peak']}..{deepest['fall_all']['trough']}"
    assert fall["options"] == {"period": period}
    for n, one in enumerate(suggested):
        _, again = await analyse(tmp_path / str(n), file=str(sample_path()), **one["options"])
        assert again[-1].text, "a suggestion that cannot be carried out is none"


async def test_nothing_is_suggested_where_nothing_was_found(tmp_path: Path) -> None:
    write(tmp_path, ["Gold"])
    _, results = await analyse(tmp_path, file="p.csv")
    for one in results[-1].data["follow_ups"]:
        assert "Gold" in one["request"]
        assert one["options"]["period"] != "last quarter"
