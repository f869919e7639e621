"""The benchmarks themselves: every part gives its figures, and none of them is made up."""

from pathlib import Path

import pytest
from benchmarks import children, machine, product, run
from benchmarks.report import Figure, Size, Spread, markdown, quantile

from taskhub_tui.agents.registry import Registry


@pytest.mark.slow
@pytest.mark.parametrize("part", run.PARTS)
def test_every_part_gives_its_figures(part: str) -> None:
    figures = list(run.part(part).measure(Size("tiny", peers=False)))
    assert figures
    for figure in figures:
        assert any(letter.isdigit() for letter in figure.measured), figure
        assert (figure.met is None) == (figure.reach == ""), figure
        # What a part could not measure it says so itself.
        assert not figure.measured.startswith("0 figures"), figure


def test_a_peer_that_is_not_there_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "huey.py").write_text("raise ModuleNotFoundError(\"No module named 'huey'\")")
    monkeypatch.setattr(
        children,
        "environment",
        lambda home: {"PATH": "", "PYTHONPATH": f"{tmp_path}:{children.TESTS}"},
    )
    with pytest.raises(children.ChildFailed, match="No module named 'huey'"):
        children.child("peer_huey", tasks=1, concurrency=1)


async def test_a_run_whose_rows_are_not_all_on_disk_is_refused(home: Path) -> None:
    ran = product.Countdown(2 * product.STAGES)
    registry = Registry({"t": product.TrivialAgent(ran)})
    async with product.hub(home, registry) as front:
        await product.submit(front, 2)
        with pytest.raises(AssertionError, match="0 tasks, 0 stages and 0 checkpoints"):
            product.check(home, 2)
        async with product.engine(home, registry, 2) as engine:
            await ran.over.wait()
            await product.settled(engine)
    product.check(home, 2)
    with pytest.raises(AssertionError, match="not 3 tasks"):
        product.check(home, 3)


def test_a_part_replaces_only_itself_in_the_page(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(f"before\n{run.BEGIN}\n{run.END}\nafter\n")
    facts = [("processor", "a fast one"), ("disk", "a slow one")]
    old = markdown("Old", [Figure("one | two", "1 /s", "≥ 2 /s", False, "slow")])
    run.put(page, facts, "kill", old)
    run.put(page, facts, "latency", markdown("Other", [Figure("three", "3 ms")]))
    run.put(page, [facts[0], ("disk", "another")], "kill", old.replace("1 /s", "5 /s"))
    said = page.read_text()
    assert said.startswith("before\n")
    assert said.endswith("after\n")
    assert "| one \\| two | 5 /s | ≥ 2 /s | **no** | slow |" in said
    assert said.index("### Other") < said.index("### Old")
    assert (said.count("### Old"), said.count("a slow one"), "1 /s" in said) == (1, 0, False)


def test_figures_of_another_machine_do_not_stay(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(f"{run.BEGIN}\n{run.END}\n")
    run.put(page, [("processor", "a fast one")], "kill", markdown("Old", [Figure("x", "1 s")]))
    run.put(page, [("processor", "another")], "latency", markdown("New", [Figure("y", "2 s")]))
    said = page.read_text()
    assert "### New" in said
    assert "### Old" not in said


def test_a_page_without_a_place_for_the_table_is_left_alone(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    page = tmp_path / "page.md"
    page.write_text("nothing here\n")
    with pytest.raises(SystemExit):
        run.main(["--tiny", "--write", str(page)])
    assert "has no place" in capsys.readouterr().err
    assert page.read_text() == "nothing here\n"


def test_numbers_are_summed_up_as_they_are() -> None:
    values = [float(i) for i in range(1, 101)]
    assert (quantile(values, 0.5), quantile(values, 0.99), quantile(values, 1.0)) == (50, 99, 100)
    assert str(Spread((1234.4, 1000.0, 99.4))) == "1,000 (99.4 to 1,234)"
    assert Size("quick").pick(1, 2, 3) == 2
    assert {"processor", "disk", "SQLite"} <= {what for what, _ in machine.describe()}
