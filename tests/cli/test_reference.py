from pathlib import Path

from taskhub_tui.cli.reference import markdown

PAGE = Path(__file__).parents[2] / "docs" / "cli.md"


def test_the_page_is_what_the_parser_says() -> None:
    fresh = PAGE.read_text(encoding="utf-8") == markdown()
    assert fresh, "stale: run `python -m taskhub_tui.cli.reference > docs/cli.md`"


def test_the_page_names_every_key_of_a_task(still, cli) -> None:
    import json

    cli("run", "--", "ls")
    (task,) = json.loads(cli("list", "--json").out)
    text = PAGE.read_text(encoding="utf-8")
    assert [key for key in task if f"`{key}`" not in text] == []
