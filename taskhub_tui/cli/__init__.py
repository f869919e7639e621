"""The front door: `main` reads the arguments, runs one command and returns its exit code."""

import sys
from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

from taskhub_tui.cli.output import CannotPrint, Output
from taskhub_tui.domain.errors import TaskHubError

BUG, INTERRUPTED, CLOSED_PIPE = 70, 130, 141
NO_WORDS = {
    "command": None,
    "run": "system.app",
    "id": None,
    "json": False,
    "embedded": False,
    "ascii": False,
}
"""What `parser.parse` makes of no words: the app is waited for, and needs no parser."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code. Errors become sentences on standard error."""
    for stream in (sys.stdout, sys.stderr):
        # A letter the terminal's encoding lacks is no reason to fail.
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")
    words = list(sys.argv[1:] if argv is None else argv)
    out = Output()
    try:
        if words[:1] == ["__complete"]:
            from taskhub_tui.cli import completion

            code = completion.answer(words[1:], out)
        else:
            code = _run(words)
        out.out.flush()
        return code
    except TaskHubError as error:
        return _tell(out, str(error), error.hint, error.exit_code)
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:
        return _closed()
    except Exception as error:
        return _bug(out, error)


def _run(words: Sequence[str]) -> int:
    from importlib import import_module

    args: Any = SimpleNamespace(**NO_WORDS)
    if words:
        from taskhub_tui.cli.parser import parse

        try:
            args = parse(words)
        except SystemExit as left:  # argparse after --help and --version
            return left.code if isinstance(left.code, int) else 1
    module, _, name = args.run.partition(".")
    run = getattr(import_module(f"taskhub_tui.cli.{module}"), name)
    code: int = run(args, Output(as_json=args.json))
    return code


def _tell(out: Output, message: str, hint: str | None, code: int) -> int:
    try:
        out.error(message, hint)
    except BrokenPipeError:
        return _closed()
    except CannotPrint:
        pass  # Nor can that be said; the exit code says it.
    return code


def _closed() -> int:
    """Be quiet when nobody reads any more, also in the flush at the interpreter's end."""
    import os

    nowhere = os.open(os.devnull, os.O_WRONLY)
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (OSError, ValueError):
            os.dup2(nowhere, stream.fileno())
    os.close(nowhere)
    return CLOSED_PIPE


def _bug(out: Output, error: Exception) -> int:
    """Report an error nobody foresaw: one sentence, and the traceback in a private file."""
    import os
    import traceback
    from datetime import datetime

    from taskhub_tui import __version__, config
    from taskhub_tui.text import one_line

    hint = None
    try:
        where = config.paths()
        config.make_private(where.home)
        file = where.home / f"crash-{datetime.now():%Y%m%d-%H%M%S}-{os.getpid()}.txt"
        told = f"taskhub {__version__}, Python {sys.version}\n\n{traceback.format_exc()}"
        with open(os.open(file, os.O_WRONLY | os.O_CREAT, 0o600), "w", encoding="utf-8") as lines:
            lines.write(told.encode(errors="replace").decode())
        hint = f"Please report it with the file {file}"
    except (OSError, TaskHubError):
        hint = "It could not be written down either: the hub's folder is not writable"
    what = one_line(f"{type(error).__name__}: {error}", 300)
    return _tell(out, f"This is a bug in TaskHub: {what}", hint, BUG)
