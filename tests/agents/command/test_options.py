"""What the options of a command are made into."""

from taskhub_tui.agents.command.options import _headline


def test_a_script_is_named_by_its_first_line() -> None:
    assert _headline("\nset -e\nmake\n") == "set -e …"
    assert _headline("make test") == "make test"
