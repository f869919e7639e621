import pytest

from taskhub_tui.cli import NO_WORDS
from taskhub_tui.cli.parser import commands, parse, parser, summaries
from taskhub_tui.domain.errors import BadInput


@pytest.mark.parametrize(
    ("words", "command"),
    [
        (["--", "./long.sh", "-f", "--name", "x"], ["./long.sh", "-f", "--name", "x"]),
        (["./long.sh", "-f", "--json"], ["./long.sh", "-f", "--json"]),
        (["--name", "n", "--", "ls"], ["ls"]),
        (["--name", "n", "ls", "-l"], ["ls", "-l"]),
        (["make", "--", "all"], ["make", "--", "all"]),
        (["--pty", "--", "git", "log", "--", "file"], ["git", "log", "--", "file"]),
        (["--", "--odd-name"], ["--odd-name"]),
    ],
)
def test_the_words_of_a_command_arrive_as_they_were_typed(words, command) -> None:
    assert parse(["run", *words]).words == command


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["lst"], "`lst` is not a command"),
        (["run"], "required: COMMAND"),
        (["run", "--"], "no command after `--`"),
        (["run", "--name", "--"], "--name|COMMAND"),
        (["add", "x", "--nonsense"], "--nonsense"),
        (["add", "x", "--prio", "low"], "--prio"),  # no abbreviations: they would bind us
        (["add", "x", "--priority", "urgent"], "urgent"),
        (["add", "x", "--at", "18:00", "--in", "5m"], "not allowed with"),
        (["list", "-n", "0"], "`0` is not a number of 1 or more"),
        (["list", "-n", "9" * 30], "is not a number of 1 or more"),
        (["run", "--retries", "-1", "--", "ls"], "`-1` is not a number of 0 or more"),
        (["run", "--retries", "9" * 30, "--", "ls"], "is not a number of 0 or more"),
        (["list", "--status", "odd"], "odd"),
        (["show"], "required: ID"),
        (["wait"], "required: ID"),
        (["decide", "abc", "destroy"], "destroy"),
        (["worker", "--status", "--stop"], "not allowed with"),
        (["completion", "tcsh"], "tcsh"),
    ],
)
def test_a_wrong_line_is_refused_with_a_sentence_and_a_hint(words, said) -> None:
    with pytest.raises(BadInput, match=said) as caught:
        parse(words)
    assert caught.value.hint


def test_a_slip_is_answered_with_the_nearest_command() -> None:
    with pytest.raises(BadInput) as caught:
        parse(["lsit"])
    assert caught.value.hint == "Did you mean `taskhub list`?"


def test_json_may_stand_before_or_after_the_command() -> None:
    assert parse(["--json", "list"]).json
    assert parse(["list", "--json"]).json
    assert not parse(["list"]).json


def test_no_command_opens_the_hub() -> None:
    args = parse(["--ascii", "--embedded"])
    assert (args.run, args.ascii, args.embedded, args.id) == ("system.app", True, True, None)
    # Without any word the parser is not even loaded.
    assert vars(parse([])) == NO_WORDS


def test_every_command_says_what_it_does_and_exists() -> None:
    from importlib import import_module

    top = parser()
    about = summaries(top)
    for name, one in commands(top).items():
        assert len(about[name]) > 5, name
        module, _, function = one.get_default("run").partition(".")
        assert callable(getattr(import_module(f"taskhub_tui.cli.{module}"), function))
