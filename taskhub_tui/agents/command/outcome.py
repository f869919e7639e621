"""How a command ended, as a result or as a sentence that says what happened and what to do."""

import errno
import os
import re
import signal
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from taskhub_tui.agents.command.options import Job
from taskhub_tui.agents.port import AgentError, Result
from taskhub_tui.regular import open_regular
from taskhub_tui.text import clean, one_line

_HOPELESS = (126, 127)  #: shells say so of a program that cannot be run
TEMPFAIL = 75  #: EX_TEMPFAIL of sysexits.h: try again later
_SIGNAL_LINE = re.compile(r'::taskhub[ \t]|\{"taskhub"')


def shown(output: str, last: int) -> list[str]:
    """Return the last lines of `output` that a person would still see.

    These are no signals, and no bars that were drawn over.
    """
    lines: list[str] = []
    for raw in reversed(output.replace("\r\n", "\n").split("\n")):
        if len(lines) == last:
            break
        left = next((part for part in reversed(raw.split("\r")) if part), "")
        line = clean(left, 2000).rstrip()
        if line and not _SIGNAL_LINE.match(line):
            lines.append(line)
    return lines[::-1]


def conclude(
    job: Job, report: Mapping[str, Any], output: str, text: str | None, answers: Mapping[str, str]
) -> Result:
    """Return the result of a command that has ended.

    Args:
        report: what the runner wrote.
        output: the end of what the command printed.
        text: the result the command named itself.
        answers: what people said to its questions, by key.

    Raises:
        AgentError: it failed, or never began.
    """
    lines = shown(output, 10)
    seconds = round(report.get("ended", 0.0) - report.get("began", 0.0), 3)
    data: dict[str, Any] = {"exit_code": report.get("code"), "seconds": seconds}
    if answers:
        data["answers"] = dict(answers)
    if report.get("code") in job.ok_codes:
        last = one_line(lines[-1], 2000) if lines else ""
        return Result(last if text is None else text, data)
    detail = {**data, "tail": lines}
    if error := report.get("error"):
        raise AgentError(_not_started(job, error), detail=detail)
    if "signal" in report:
        number = report["signal"]
        detail["signal"] = _signal_name(number)
        raise AgentError(_killed(job.name, number), detail=detail)
    code = report.get("code")
    if code == TEMPFAIL:
        raise AgentError(
            f"`{job.name}` asks to be tried again later (exit code {code}).",
            retryable=True,
            detail=detail,
        )
    # Not what was killed, or never began: whoever gave it retries meant failures of its own.
    raise AgentError(
        f"`{job.name}` ended with exit code {code}{_shell_hint(code)}.",
        retryable=code not in _HOPELESS,
        detail=detail,
    )


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def _killed(name: str, number: int) -> str:
    why: dict[int, str] = {
        signal.SIGKILL: "; the machine may have run out of memory",
        signal.SIGSEGV: ": it reached for memory that is not its own",
        signal.SIGABRT: ": it gave up on an error of its own",
        signal.SIGXFSZ: ": a file grew past the limit that is set here",
        signal.SIGXCPU: ": it used more processor time than is allowed here",
        signal.SIGPIPE: ": it wrote to a program that was gone",
        signal.SIGTERM: "; somebody, or the machine shutting down, asked it to end",
        signal.SIGINT: "; somebody interrupted it",
    }
    return f"`{name}` was killed by {_signal_name(number)}{why.get(number, '')}."


def _shell_hint(code: object) -> str:
    if code == 126:
        return " (shells say so when a program in it may not be executed)"
    if code == 127:
        return " (shells say so when a program in it was not found)"
    if isinstance(code, int) and 128 < code < 128 + 65:
        return f" (shells say so when a program in it was killed by {_signal_name(code - 128)})"
    return ""


def _not_started(job: Job, error: Mapping[str, Any]) -> str:
    number, part = error.get("errno"), error.get("part")
    words = os.strerror(number) if isinstance(number, int) and number else str(part)
    if part == "cwd":
        return f"`{job.name}` was not started: its folder {job.cwd} cannot be used ({words})."
    if part != "argv":
        return f"`{job.name}` was not started: {one_line(words)}."
    program = job.argv[0]
    path = job.cwd / program
    place = one_line(program, 200)
    if number == errno.E2BIG:
        return f"`{job.name}` was not started: its arguments and variables are too long together."
    if number == errno.ENOEXEC:
        return (
            f"`{place}` is no program that this machine can run: it has no first line such as "
            "`#!/bin/sh`, or it was built for another kind of machine."
        )
    if "/" not in program:
        if number == errno.ENOENT:
            return f"The command `{place}` was not found. Install it, or give its full path."
        return f"The command `{place}` may not be executed ({words})."
    if number == errno.ENOENT and path.exists():
        return (
            f"`{place}` cannot start: the program that its first line names is not there "
            f"({_first_line(path)})."
        )
    if number == errno.ENOENT:
        return f"There is no file `{place}` in {job.cwd}."
    if path.is_dir():
        return f"`{place}` is a folder, not a program."
    if number == errno.EACCES and path.is_file() and not os.access(path, os.X_OK):
        return f"`{place}` is not executable. Run `chmod +x {place}` first."
    return f"`{place}` may not be executed ({words})."


def _first_line(path: Path) -> str:
    try:
        with open_regular(path) as file:
            return one_line(file.readline(200).decode("utf-8", "replace"), 100)
    except OSError:
        return "it cannot be read"
