"""The words of the command line. Only the command that was given is built, so parsing is quick."""

import argparse
from collections.abc import Callable, Sequence
from typing import NoReturn, TypeAlias

from taskhub_tui import __version__
from taskhub_tui.domain.errors import BadInput

Fill: TypeAlias = Callable[[argparse.ArgumentParser], None]
"""Adds the words of one command to its parser."""

ABOUT = "A terminal hub for long-running work done by AI agents, scripts and cloud operations."
EXITS = """\
exit codes:
  0    done                            6    no worker could be started
  1    something failed                10   wait: a task failed
  2    what was given cannot be used   11   wait: a task was cancelled
  3    the decision does not fit now   12   wait: the time was up
  4    another worker was faster       13   wait: a task needs you
  5    the database cannot be used     70   a bug in TaskHub; 130 Ctrl-C; 141 closed pipe

ID is a task's ID, or its first letters as far as they name one task only.
TASKHUB_HOME names the folder of another hub. NO_COLOR turns colours off."""
SHELLS = ("bash", "zsh", "fish")
SHORTCUTS = ("approve", "deny", "retry", "cancel")
"""Decisions that are commands of their own."""
ID = "a task's ID, or its first letters"
_HERE = "\0"
"""Stands for the words after `--` while the rest is parsed; no argument can hold it."""


class Parser(argparse.ArgumentParser):
    """A parser that raises BadInput instead of ending the process."""

    def error(self, message: str) -> NoReturn:
        message = message.removeprefix("argument ").replace(_HERE, "--")
        raise BadInput(message[:1].upper() + message[1:], f"See `{self.prog} --help`")


def parse(argv: Sequence[str]) -> argparse.Namespace:
    """Read the arguments after the program's name.

    Raises:
        BadInput: they make no sense; the message says which.
    """
    words = list(argv)
    name = next((word for word in words if not word.startswith("-")), None)
    # Help for the hub itself lists all commands.
    listed = name is None or not {"-h", "--help"}.isdisjoint(words[: words.index(name)])
    known, names = _build(only="" if listed else name)
    if name is not None and name not in names:
        raise BadInput(f"`{name}` is not a command", _meant(name, names))
    if name != "run" or "--" not in words:
        found = known.parse_args(words)
        if name == "run":
            found.words = [found.program, *found.words]
        return found
    split = words.index("--")
    found = known.parse_args([*words[:split], _HERE])
    rest = words[split + 1 :]
    if found.program == _HERE:
        if not rest:
            raise BadInput("There is no command after `--`", "See `taskhub run --help`")
        found.words = rest
    else:  # `run make -- all`: the `--` belongs to the command
        found.words = [found.program, *found.words[:-1], "--", *rest]
    return found


def _meant(name: str, names: Sequence[str]) -> str:
    import difflib

    near = difflib.get_close_matches(name, names, 1)
    return f"Did you mean `taskhub {near[0]}`?" if near else "See `taskhub --help`"


def commands(known: argparse.ArgumentParser) -> dict[str, argparse.ArgumentParser]:
    """Return the parser of each command, in the order of the help."""
    for action in known._actions:
        if isinstance(action, argparse._SubParsersAction):
            return dict(action.choices)
    return {}


def summaries(known: argparse.ArgumentParser) -> dict[str, str]:
    """Return each command's line in the list of commands."""
    for action in known._actions:
        if isinstance(action, argparse._SubParsersAction):
            return {choice.dest: choice.help or "" for choice in action._choices_actions}
    return {}


def parser() -> Parser:
    """Return the whole command line."""
    return _build()[0]


def _build(only: str | None = None) -> tuple[Parser, list[str]]:
    """Return a parser, and the names of all commands.

    Args:
        only: the one command to build; "" lists the commands without their words.
    """
    top = Parser(
        prog="taskhub",
        description=f"{ABOUT} Without a command it opens the hub.",
        epilog=EXITS,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    top.add_argument("--version", action="version", version=f"taskhub {__version__}")
    top.add_argument("--json", action="store_true", help="print data as JSON")
    top.add_argument(
        "--embedded",
        action="store_true",
        help="run the work inside the app instead of a worker of its own",
    )
    top.add_argument("--ascii", action="store_true", help="draw with ASCII characters only")
    top.set_defaults(run="system.app", id=None)
    adder = Adder(top, only)
    _submit(adder)
    _look(adder)
    _decide(adder)
    _system(adder)
    return top, adder.names


class Adder:
    """Adds commands that share their settings."""

    def __init__(self, top: Parser, only: str | None) -> None:
        self.names: list[str] = []
        self._only = only
        # With `prog` given, argparse does not make a whole help text to find it out.
        self._group = top.add_subparsers(
            title="commands", metavar="COMMAND", dest="command", parser_class=Parser, prog=top.prog
        )

    def __call__(
        self, name: str, run: str, about: str, more: str = "", fill: Fill | None = None
    ) -> None:
        """Add a command; `fill` adds its words, if it is one that is built."""
        self.names.append(name)
        if self._only and name != self._only:
            return
        added = self._group.add_parser(
            name,
            help=about,
            description=f"{about[:1].upper()}{about[1:]}. {more}".strip(),
            allow_abbrev=False,
        )
        added.set_defaults(run=run)
        added.add_argument(
            "--json", action="store_true", default=argparse.SUPPRESS, help="print data as JSON"
        )
        if fill is not None and self._only != "":
            fill(added)


def _common(command: argparse.ArgumentParser) -> None:
    from taskhub_tui.domain.model import Priority

    command.add_argument("-C", "--dir", metavar="DIR", help="the folder to work in; else this one")
    _variables(command, "hand on this variable as well; its value stays out of the database")
    command.add_argument(
        "--priority",
        choices=[priority.name.lower() for priority in Priority],
        default="normal",
        help="who goes first when not all can run at once",
    )
    command.add_argument(
        "--after",
        metavar="ID",
        action="append",
        default=[],
        help="start when this task is completed; may be repeated",
    )
    when = command.add_mutually_exclusive_group()
    when.add_argument("--at", metavar="TIME", help="start then: 18:00, or `2031-05-04 08:30`")
    when.add_argument("--in", dest="delay", metavar="DURATION", help="start in 90s, 10m, 1h30m")
    command.add_argument(
        "--deadline",
        metavar="TIME",
        help="stop and fail it if it is not done by then: 18:00, or 2h from when it may start; "
        "waiting for you counts too",
    )
    command.add_argument(
        "--timeout", metavar="DURATION", help="the longest time of one attempt of a stage"
    )
    command.add_argument(
        "--retries", type=_count_or_none, metavar="N", help="repeat a failed attempt so often"
    )
    command.add_argument(
        "--retry-delay",
        metavar="DURATION",
        help="after so long, doubling up to an hour; 5s if not given",
    )
    command.add_argument(
        "--on-interrupt",
        choices=["adopt", "rerun", "ask"],
        help="what to do when the worker dies under it; else the agent's habit",
    )
    command.add_argument(
        "--stall",
        metavar="DURATION",
        help="show it after so long without a sign of life; 0 is never",
    )


def _variables(command: argparse.ArgumentParser, about: str) -> None:
    command.add_argument("--env", metavar="NAME[=VALUE]", action="append", default=[], help=about)


def _submit(add: Adder) -> None:
    add(
        "run",
        "submit.run",
        "run a command in the background",
        "Prints the task's ID at once and returns; the command goes on when the terminal is "
        "closed. Write `--` before the command.",
        _run,
    )
    add("add", "submit.add", "hand a request to an agent", "Prints the task's ID at once.", _add)


def _run(run: argparse.ArgumentParser) -> None:
    run.add_argument("--name", metavar="TITLE", help="a title; else the command itself")
    _common(run)
    run.add_argument("--pty", action="store_true", help="give the command a terminal")
    run.add_argument("--shell", action="store_true", help="let /bin/sh read the words as one line")
    run.add_argument("program", metavar="COMMAND", help="the program")
    run.add_argument("words", metavar="ARG", nargs=argparse.REMAINDER, help="its arguments")


def _add(new: argparse.ArgumentParser) -> None:
    new.add_argument(
        "request",
        metavar="REQUEST",
        nargs="?",
        help="what is to be done; `-` reads it from the input",
    )
    new.add_argument("--title", metavar="TITLE", help="a title; else made from the request")
    new.add_argument("--agent", metavar="AGENT", help="who does it; else the one that fits best")
    new.add_argument(
        "--stage",
        metavar="NAME[:AGENT]",
        action="append",
        default=[],
        help="a stage, in order; may be repeated; else the agent's own",
    )
    new.add_argument("--playbook", metavar="FILE", help="take the stages from this file, or name")
    new.add_argument("--file", metavar="FILE", help="the file to work on")
    new.add_argument(
        "--option",
        metavar="NAME=VALUE",
        action="append",
        default=[],
        help="an option of the agent, see `taskhub agents`; may be repeated",
    )
    _common(new)
    new.add_argument("--gate", action="store_true", help="ask before the first stage")
    new.add_argument("--review", action="store_true", help="ask about the result of the last stage")


def _look(add: Adder) -> None:
    from taskhub_tui.cli.view_words import watch

    first = "What needs you comes first, of high risk before the rest."
    add("list", "look.tasks", "list tasks", first, _list)
    add("show", "look.show", "show one task", fill=_show)
    add("logs", "look.logs", "print what a task has said", fill=_logs)
    add(
        "wait",
        "look.wait",
        "wait until tasks are over",
        "Exit code: 0 all completed, 10 one failed, 11 one was cancelled, 12 the time was up, "
        "13 one needs you.",
        _wait,
    )
    watch(add)
    add("notifications", "look.notifications", "list what TaskHub has told you", fill=_told)
    add("agents", "look.agents", "list the agents and their options")
    add("playbooks", "look.playbooks", "list the playbooks and their stages")


def _list(listing: argparse.ArgumentParser) -> None:
    from taskhub_tui.domain.model import Status

    listing.add_argument(
        "text", metavar="TEXT", nargs="?", default="", help="only tasks that speak of this"
    )
    listing.add_argument(
        "--status",
        choices=[status.value for status in Status],
        action="append",
        default=[],
        help="only these; may be repeated",
    )
    listing.add_argument(
        "--filter",
        metavar="FILTER",
        default="",
        help="only these, as after / in the app: 'status:failed !agent:command older:2d'",
    )
    listing.add_argument("--all", action="store_true", help="all, also those over long ago")
    listing.add_argument("-n", type=count, metavar="N", dest="limit", help="at most N; else 50")


def _show(show: argparse.ArgumentParser) -> None:
    show.add_argument("id", metavar="ID", help=ID)
    show.add_argument("--events", action="store_true", help="with its history: who did what, when")


def _logs(logs: argparse.ArgumentParser) -> None:
    logs.add_argument("id", metavar="ID", help=ID)
    logs.add_argument("-f", "--follow", action="store_true", help="go on until the task is over")
    logs.add_argument("--raw", action="store_true", help="without times and marks")


def _wait(wait: argparse.ArgumentParser) -> None:
    wait.add_argument("ids", metavar="ID", nargs="+", help=ID)
    wait.add_argument("--timeout", metavar="DURATION", help="give up after 90s, 10m, 1h30m")
    wait.add_argument("--any", action="store_true", help="return when the first one is over")
    wait.add_argument(
        "--until",
        choices=["over", "blocked"],
        default="over",
        help="`blocked` returns as well when a task needs you",
    )


def _told(notifications: argparse.ArgumentParser) -> None:
    notifications.add_argument(
        "-n", type=count, metavar="N", dest="limit", default=30, help="at most N; else 30"
    )


def _decide(add: Adder) -> None:
    add("decide", "decide.decide", "answer a question, or change what a task does", fill=_decision)
    for name in SHORTCUTS:
        add(name, "decide.decide", f"the same as `decide ID {name}`", fill=_shortcut)
    add("pause", "decide.pause", "stop a task after its stage", fill=_one)
    add("resume", "decide.resume", "let it go on", fill=_resumed)


def _decision(decide: argparse.ArgumentParser) -> None:
    from taskhub_tui.domain.model import Action, Priority

    decide.add_argument("id", metavar="ID", help=ID)
    decide.add_argument(
        "action", metavar="ACTION", choices=[action.value for action in Action],
        help=", ".join(action.value for action in Action),
    )  # fmt: skip
    _words(decide)
    decide.add_argument("--choice", metavar="CHOICE", help="the answer, where there are several")
    decide.add_argument("--agent", metavar="AGENT", help="reassign: to whom")
    _variables(decide, _ANEW)
    for option, name in (("--set", "options"), ("--argument", "arguments")):
        decide.add_argument(
            option,
            metavar="NAME=VALUE",
            action="append",
            default=[],
            dest=name,
            help=f"modify: a new value among the {_OF[name]}; may be repeated",
        )
    decide.add_argument("--unset", metavar="NAME", action="append", default=[],
                        help="modify: take this option away")  # fmt: skip
    decide.add_argument("--request", metavar="TEXT", help="modify: a new request")
    decide.add_argument("--title", metavar="TITLE", help="modify: a new title")
    decide.add_argument(
        "--deadline", metavar="TIME", help="modify: 18:00, or 2h from now; `none` takes it away"
    )
    decide.add_argument(
        "--priority",
        choices=[priority.name.lower() for priority in Priority],
        help="modify: who goes first",
    )
    decide.add_argument(
        "--blocker",
        metavar="ID[:VERSION]",
        help="only if this question is still open, and unchanged",
    )


def _shortcut(short: argparse.ArgumentParser) -> None:
    short.add_argument("id", metavar="ID", help=ID)
    _words(short)
    action = short.prog.rpartition(" ")[2]
    if action in ("approve", "retry"):
        _variables(short, _ANEW)
    short.set_defaults(action=action)


def _one(command: argparse.ArgumentParser) -> None:
    command.add_argument("id", metavar="ID", help=ID)


def _resumed(command: argparse.ArgumentParser) -> None:
    _one(command)
    _variables(command, _ANEW)


_ANEW = "give its commands this variable, new or anew"
_OF = {"options": "task's options", "arguments": "proposed arguments"}


def _words(command: argparse.ArgumentParser) -> None:
    command.add_argument("--text", metavar="TEXT", help="context, reason or answer; `-` reads it")


def _system(add: Adder) -> None:
    from taskhub_tui.cli.care_words import care
    from taskhub_tui.cli.view_words import serve

    add("open", "system.open_", "open the hub at one task, or the task's result", fill=_open)
    serve(add)
    add(
        "worker",
        "system.worker",
        "do the work in this terminal",
        "A worker starts by itself when there is work; this one shows what it does.",
        _worker,
    )
    add("doctor", "system.doctor", "check that everything TaskHub needs is there")
    care(add)
    add(
        "completion",
        "system.completion",
        "print a completion script for your shell",
        fill=_completion,
    )


def _open(opened: argparse.ArgumentParser) -> None:
    opened.add_argument("id", metavar="ID", help=ID)
    opened.add_argument("--result", action="store_true", help="the result, with your own viewer")
    opened.add_argument("--print", action="store_true", help="with --result: only print its path")


def _worker(worker: argparse.ArgumentParser) -> None:
    what = worker.add_mutually_exclusive_group()
    what.add_argument("--foreground", action="store_true", help="the default")
    what.add_argument("--status", action="store_true", help="list the workers")
    what.add_argument("--stop", action="store_true", help="ask those on this machine to leave")


def _completion(completion: argparse.ArgumentParser) -> None:
    completion.add_argument("shell", metavar="SHELL", choices=SHELLS, help=", ".join(SHELLS))


_MOST = 1_000_000_000
"""The largest number that is taken: more than that is a slip, and too much for the database."""


def count(text: str, least: int = 1) -> int:
    """Read a number of things, for argparse."""
    if not text.isdecimal() or len(text) > 10 or not least <= int(text) <= _MOST:
        raise argparse.ArgumentTypeError(f"`{text}` is not a number of {least} or more")
    return int(text)


def _count_or_none(text: str) -> int:
    """As `count`, but 0 is one, too: it takes a playbook's own number back."""
    return count(text, 0)
