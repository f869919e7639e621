"""A command imports what it uses and nothing else: what it costs to start is what it imports."""

import subprocess
import sys
from pathlib import Path

import pytest

APP = ("textual", "rich", "taskhub_tui.tui", "platformdirs")
WORK = (
    "taskhub_tui.engine",
    "taskhub_tui.notifications",
    "taskhub_tui.worker",
    "taskhub_tui.agents.port",
    "taskhub_tui.agents.command.agent",
    "taskhub_tui.agents.analyst.agent",
    "taskhub_tui.diagnosis",
    "desktop_notifier",
    "polars",
    "matplotlib",
    "plotext",
)
SERVING = ("aiohttp", "textual_serve", "jinja2", "taskhub_tui.serving")
HEAVY = (
    "zipfile",
    "tempfile",
    "difflib",
    "http",
    "pydantic",
    "importlib.metadata",
    "email",
    "http",
    "difflib",
    "unittest",
    "tomllib",
)
LATER = (
    "argparse",
    "textual.widgets._text_area",
    "pydantic",
    "httpx",
    "PIL",
    "tomlkit",
    "tomllib",
    "rich.markdown",
    "markdown_it",
    "taskhub_tui.planning",
    "taskhub_tui.tui.screens.new_task",
    "taskhub_tui.tui.screens.decision",
    "taskhub_tui.tui.screens.settings",
    "taskhub_tui.tui.screens.agents",
    "taskhub_tui.tui.screens.inbox",
)
"""What the app imports when it is used, and not to show its first screen."""
HUB = ("asyncio", "sqlite3", "aiosqlite", "dataclasses", "taskhub_tui.hub", "taskhub_tui.storage")
HANDING_OVER = (
    "taskhub_tui.planning",
    "taskhub_tui.agents",
    "taskhub_tui.domain.lifecycle",
    "taskhub_tui.storage.changes",
    "taskhub_tui.storage.notices",
    "taskhub_tui.storage.outbox",
    "taskhub_tui.keeper",
)
TELL = """
import sys
from taskhub_tui.cli import main
sys.argv = ["taskhub", *sys.argv[1:]]
code = main()
print("\\nloaded:", *sys.modules)
sys.exit(code)
"""


def loaded(*words: str, code: int = 0) -> set[str]:
    """Return what a command has imported at its end, packages for their modules as well."""
    done = subprocess.run(
        [sys.executable, "-c", TELL, *words],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == code, done.stderr
    names = done.stdout.rpartition("\nloaded:")[2].split()
    return {name[:end] for name in names for end in _ends(name)}


def _ends(name: str) -> list[int]:
    return [*(at for at, letter in enumerate(name) if letter == "."), len(name)]


@pytest.mark.parametrize("word", ["--help", "--version"])
def test_help_and_version_need_no_hub(home: Path, word: str) -> None:
    assert loaded(word) & {*APP, *WORK, *HEAVY, *HUB, *HANDING_OVER} == set()


@pytest.mark.parametrize("words", [("list",), ("list", "--json"), ("list", "--status", "failed")])
def test_a_list_needs_nothing_that_hands_work_over(still: Path, words: tuple[str, ...]) -> None:
    found = loaded(*words)
    assert "taskhub_tui.storage.queries" in found, "else this test sees nothing"
    unused = {*APP, *WORK, *HEAVY, *HANDING_OVER, "taskhub_tui.domain.views"}
    assert found & unused == set()


@pytest.mark.parametrize(
    "words",
    [
        ("run", "--", "true"),
        ("add", "--agent", "command", "--option", "shell=ls", "list it"),
        ("add", "run the script"),
    ],
)
def test_handing_work_over_needs_no_agent_and_no_app(still: Path, words: tuple[str, ...]) -> None:
    found = loaded(*words)
    assert "taskhub_tui.planning" in found
    # What an option is given may be TOML, and is read as such.
    unused = {*APP, *WORK, *HEAVY} - ({"tomllib"} if "--option" in words else set())
    assert found & unused == set()


def test_a_worker_is_started_without_what_reads_settings_nobody_made(home: Path) -> None:
    found = loaded("run", "--", "true")
    assert "taskhub_tui.keeper" in found
    assert found & {*APP, *WORK, *HEAVY} == set()


def test_work_that_is_left_makes_a_list_load_no_more(still: Path) -> None:
    from taskhub_tui.cli import main

    assert main(["run", "--", "true"]) == 0
    assert loaded("list") & {*APP, *WORK, *HEAVY, *HANDING_OVER} == set()


def test_a_log_is_printed_without_what_reads_nothing_else(still: Path) -> None:
    from taskhub_tui.cli import main

    assert main(["run", "--name", "x", "--", "true"]) == 0
    task_id = next((still / "tasks").iterdir()).name
    found = loaded("logs", task_id)
    assert "taskhub_tui.logs" in found
    assert found & {*APP, *WORK, *HEAVY, *HANDING_OVER} == set()


def test_a_live_view_has_the_words_of_the_app_without_the_app(still: Path) -> None:
    from taskhub_tui.cli import main

    assert main(["run", "--name", "x", "--", "true"]) == 0
    task_id = next((still / "tasks").iterdir()).name
    assert main(["cancel", task_id]) == 0
    found = loaded("watch", task_id, code=11)
    assert {"taskhub_tui.cli.watch", "taskhub_tui.tui.words"} <= found
    unused = {*APP, *WORK, *HEAVY, *HANDING_OVER, *SERVING} - {"taskhub_tui.tui"}
    assert found & unused == set()
    assert {name for name in found if name.startswith("taskhub_tui.tui.")} == {
        "taskhub_tui.tui.glyphs",
        "taskhub_tui.tui.words",
    }


def test_what_serves_a_browser_is_loaded_by_nothing_else(still: Path) -> None:
    for words in (("list",), ("run", "--", "true"), ("agents",)):
        assert loaded(*words) & {*SERVING} == set(), words


def test_the_app_draws_its_first_screen_without_what_comes_later() -> None:
    code = (
        "import sys; import taskhub_tui.tui.app; "
        "print(*(name[:end] for name in sys.modules for end in "
        "[*(i for i, c in enumerate(name) if c == '.'), len(name)]))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True
    )
    found = set(done.stdout.split())
    assert "taskhub_tui.tui.screens.main" in found
    assert found & {*WORK, *SERVING, *LATER} == set()
