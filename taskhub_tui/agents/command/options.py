"""The options of the command agent, checked, and the environment a command gets."""

import os
import re
import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from taskhub_tui import variables
from taskhub_tui.agents.port import AgentError, Stage
from taskhub_tui.env import submit_env
from taskhub_tui.records import dataclass
from taskhub_tui.text import one_line

_TOKEN = re.compile(r"\{(prompt|request|task|workdir|outdir)\}")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_PROMPT_LIMIT = 100_000  #: Linux refuses a single variable or argument above 128 KiB


@dataclass(frozen=True, slots=True)
class Job:
    """What to run, and how."""

    argv: tuple[str, ...]
    name: str
    """What people call the command, in messages."""
    shown: str
    """The command as a person would write it, on one line."""
    cwd: Path
    pty: bool
    stdin: bool
    grace: float
    ok_codes: frozenset[int]
    limit: int
    """Bytes of output that are kept."""
    umask: int | None


def read_job(stage: Stage) -> Job:
    """Return what the options of `stage` ask for.

    Raises:
        AgentError: an option is missing or wrong; the message names it.
    """
    options = stage.options
    argv, name = _argv(stage)
    cwd = options.get("cwd")
    if cwd is not None and (not isinstance(cwd, str) or "\0" in cwd):
        raise _wrong("cwd", "a path")
    codes = options.get("ok_codes", [0])
    if not isinstance(codes, (list, tuple)) or not all(
        isinstance(code, int) and 0 <= code <= 255 for code in codes
    ):
        raise _wrong("ok_codes", "a list of numbers from 0 to 255")
    return Job(
        argv=argv,
        name=name,
        shown=_headline(str(options.get("shell") or shlex.join(argv))),
        cwd=stage.workdir / cwd if cwd else stage.workdir,
        pty=_flag(options, "pty"),
        stdin=_flag(options, "stdin"),
        grace=_number(options, "grace", 5.0, 0.0, 3600.0),
        ok_codes=frozenset(codes),
        limit=int(_number(options, "max_output_mb", 1024, 0.1, 1e6) * (1 << 20)),
        umask=_umask(options.get("umask") or os.environ.get("TASKHUB_UMASK")),
    )


def grace(stage: Stage) -> float:
    """Return the seconds between two signals, for a stage whose options may be wrong."""
    try:
        return _number(stage.options, "grace", 5.0, 0.0, 3600.0)
    except AgentError:
        return 5.0


def environment(stage: Stage, folder: Path) -> dict[str, str]:
    """Return the whole environment of the command whose run is kept in `folder`.

    Raises:
        AgentError: the `env` option, or the task's `env.json`, cannot be used, or a variable
            that was given apart has no value any more.
    """
    env = submit_env(os.environ)
    _overlay(env, stage.options.get("env") or {}, "The option `env`")
    _overlay(env, _given_apart(stage), f"The file {stage.datadir / variables.FILE}")
    if stage.options.get("pty") and env.get("TERM", "dumb") == "dumb":
        env["TERM"] = "xterm-256color"
    prompt = stage.prompt.replace("\0", "")
    return env | {
        "PYTHONUNBUFFERED": "1",  # else the progress of Python programs comes at their end
        "TASKHUB_TASK": stage.task_id,
        "TASKHUB_STAGE": stage.stage_id,
        "TASKHUB_ATTEMPT": str(stage.attempt),
        "TASKHUB_KEY": stage.idempotency_key,
        "TASKHUB_PROMPT": prompt if len(prompt.encode()) < _PROMPT_LIMIT else "",
        "TASKHUB_WORKDIR": str(stage.workdir),
        "TASKHUB_OUTDIR": str(stage.outdir),
        "TASKHUB_INPUTS": str(folder / "inputs.json"),
        "TASKHUB_ANSWERS": str(folder / "answers"),
        "TASKHUB_ASK": str(folder / "bin" / "ask"),
        "TASKHUB_PROGRESS": str(folder / "bin" / "progress"),
    }


def _given_apart(stage: Stage) -> dict[str, Any]:
    """Return the variables that the task does not hold itself: all of them, or none is started."""
    names = stage.options.get("secret_env") or ()
    if not isinstance(names, (list, tuple)) or not all(
        isinstance(name, str) and _NAME.fullmatch(name) for name in names
    ):
        raise _wrong("secret_env", "a list of names of variables")
    path = stage.datadir / variables.FILE
    try:
        found = variables.read(stage.datadir)
    except OSError as error:
        raise AgentError(
            f"The variables of this task cannot be read: {path}: {error.strerror}"
        ) from None
    except ValueError:
        if not names:
            raise AgentError(f"The variables of this task are no JSON: {path}") from None
        found = {}
    if gone := [name for name in names if found.get(name) is None]:
        said = gone[0] if len(gone) == 1 else f"{', '.join(gone[:-1])} and {gone[-1]}"
        has, them = ("value is", "it") if len(gone) == 1 else ("values are", "them")
        raise AgentError(
            f"The command was not started: it needs {said}, whose {has} not here."
            f" `{variables.again(stage.task_id, gone)}` gives {them} anew;"
            f" `taskhub decide {stage.task_id} modify --unset secret_env` goes on without.",
            detail={"missing": gone},
        )
    return found


def _argv(stage: Stage) -> tuple[tuple[str, ...], str]:
    argv, shell = stage.options.get("argv"), stage.options.get("shell")
    if argv is None and shell is None:
        raise AgentError(
            "The command agent does not know what to run: give the option `argv`, a list such as "
            '["./long.sh", "--fast"].'
        )
    if argv is not None and shell is not None:
        raise AgentError("The options `argv` and `shell` exclude each other: keep one of them.")
    if shell is not None:
        if not isinstance(shell, str) or not shell.strip() or "\0" in shell:
            raise _wrong("shell", "a line of shell")
        return ("sh", "-c", shell), one_line(shell, 60)
    if (
        not isinstance(argv, (list, tuple))
        or not argv
        or not all(isinstance(word, str) and "\0" not in word for word in argv)
        or not argv[0]
    ):
        raise _wrong("argv", 'a list of words such as ["./long.sh", "--fast"]')
    values = {
        "prompt": stage.prompt.replace("\0", ""),
        "request": stage.prompt.replace("\0", ""),
        "task": stage.task_id,
        "workdir": str(stage.workdir),
        "outdir": str(stage.outdir),
    }
    if not _flag(stage.options, "fill"):
        # What a person typed is run as it was typed.
        return tuple(argv), _called(argv[0])
    # One pass, so that a token inside the prompt stays what it is.
    words = tuple(_TOKEN.sub(lambda m: values[m[1]], word) for word in argv)
    return words, _called(words[0])


def _called(program: str) -> str:
    return one_line(program.rstrip("/").rpartition("/")[2] or program, 60)


def _overlay(env: dict[str, str], extra: Any, where: str) -> None:
    if not isinstance(extra, Mapping):
        raise AgentError(f"{where} must be a table of names and values.")
    for name, value in extra.items():
        if not isinstance(name, str) or not _NAME.fullmatch(name):
            raise AgentError(f"{where} has a name that no variable can have: {name!r:.80}")
        if value is None:
            env.pop(name, None)
        elif isinstance(value, (str, int, float)) and "\0" not in str(value):
            env[name] = str(value)
        else:
            raise AgentError(f"{where} gives `{name}` a value that is no text.")


def _flag(options: Mapping[str, Any], name: str) -> bool:
    value = options.get(name, False)
    if not isinstance(value, bool):
        raise _wrong(name, "true or false")
    return value


def _number(options: Mapping[str, Any], name: str, usual: float, low: float, high: float) -> float:
    value = options.get(name, usual)
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not low <= value <= high:
        raise _wrong(name, f"a number from {low:g} to {high:g}")
    return float(value)


def _umask(value: object) -> int | None:
    if value is None:
        return None
    if isinstance(value, str) and re.fullmatch(r"(0o?)?[0-7]{1,3}", value):
        return int(value.removeprefix("0o"), 8)
    raise _wrong("umask", 'an octal text such as "022"')


def _wrong(option: str, right: str) -> AgentError:
    return AgentError(f"The option `{option}` of the command agent must be {right}.")


def _headline(command: str) -> str:
    """Return the first line of a command; an ellipsis stands for the others."""
    lines = [line for line in command.splitlines() if line.strip()]
    more = " …" if len(lines) > 1 else ""
    return one_line(lines[0] if lines else "", 200) + more
