"""The explicit signals of a command: `::taskhub verb key=value::text`, and the same as JSON lines.

Everything here is text from outside: what does not fit becomes a line of log that says so, never
an exception.
"""

import json
import math
import re
from collections.abc import Mapping
from typing import Any, Literal, TypeAlias

from taskhub_tui.records import dataclass
from taskhub_tui.text import clean, one_line


@dataclass(frozen=True, slots=True)
class Progress:
    """How far the command is; `fraction` None is unknown."""

    fraction: float | None
    note: str | None = None


@dataclass(frozen=True, slots=True)
class Ask:
    """A question to a person."""

    question: str
    key: str | None = None
    """Names the question within the run; None lets the agent find one."""
    approval: bool = False
    choices: tuple[str, ...] = ()
    risk: Literal["low", "high"] = "low"
    timeout: float | None = None
    default: Literal["approve", "deny", "cancel"] | None = None
    unanswered: Literal["wait", "remind", "escalate"] | None = None


@dataclass(frozen=True, slots=True)
class Say:
    """The text of the result."""

    text: str


@dataclass(frozen=True, slots=True)
class HandOver:
    """A file the command has made; `path` may be relative to its folder."""

    path: str
    name: str
    main: bool = False


@dataclass(frozen=True, slots=True)
class Log:
    """Lines for the log, without the last newline."""

    text: str
    level: Literal["error", "warning", "notice"] | None = None


Signal: TypeAlias = Progress | Ask | Say | HandOver | Log

_LINE = re.compile(r"::taskhub[ \t]+([\w-]+)")
_GITHUB = re.compile(r"::(error|warning|notice)(?:[ \t][^:]*)?::(.*)")
_ATTRIBUTE = re.compile(r"""[ \t]+(\w+)=("(?:[^"\\]|\\.)*"|(?:(?!::)\S)*)""")
_AMOUNT = re.compile(r"(\d+(?:\.\d*)?|\.\d+)(?:(%)|/(\d+(?:\.\d*)?))?")
_YES = frozenset(("yes", "y", "ok", "approve", "allow", "accept", "continue", "true"))
_NO = frozenset(("no", "n", "deny", "abort", "reject", "refuse", "cancel", "stop", "false"))
KEY = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,79}")


def effect(choice: str) -> Literal["approve", "deny", "neutral"]:
    """Return what choosing `choice` means for a question of yes or no."""
    word = choice.strip().lower()
    return "approve" if word in _YES else "deny" if word in _NO else "neutral"


def command(line: str) -> Signal | None:
    """Read one line that begins with `::`; None when it is no signal."""
    if m := _GITHUB.fullmatch(line.rstrip()):
        level: Any = m[1]
        return Log(m[2].strip(), level)
    if not (m := _LINE.match(line)):
        return None
    verb, at, found = m[1].lower(), m.end(), dict[str, Any]()
    while a := _ATTRIBUTE.match(line, at):
        value = a[2]
        quoted = len(value) > 1 and value[0] == value[-1] == '"'
        found[a[1].lower()] = re.sub(r"\\(.)", r"\1", value[1:-1]) if quoted else value
        at = a.end()
    rest = line[at:].strip()
    if verb == "progress" and "value" not in found:
        amount, _, note = rest.partition("::" if "::" in rest else " ")
        found["value"], rest = amount.strip(), note
    text = rest.removeprefix("::").strip()
    if "choices" in found:
        found["choices"] = found["choices"].split("|")
    return _signal(verb, text, found, line)


def from_json(line: str) -> Signal | None:
    """Read a line such as `{"taskhub": {"progress": 0.4, "note": "…"}}`; None if it is none."""
    try:
        said = json.loads(line)["taskhub"]
    except (ValueError, KeyError, TypeError, RecursionError):
        return None
    if not isinstance(said, dict):
        return None
    for verb in ("progress", "ask", "approve", "result", "artifact", "log"):
        if verb in said:
            found = {str(k): v for k, v in said.items() if k != verb and v is not None}
            if verb == "progress":
                return _signal(verb, str(found.get("note", "")), {"value": said[verb]}, line)
            if verb == "artifact":
                found["path"] = said[verb]
                return _signal(verb, str(found.get("name", "")), found, line)
            return _signal(verb, str(said[verb]), found, line)
    return _odd(line, "it has none of progress, ask, approve, result, artifact")


def _signal(verb: str, text: str, found: Mapping[str, Any], line: str) -> Signal:
    try:
        if verb == "progress":
            return Progress(_fraction(found.get("value")), one_line(text, 200) or None)
        if verb in ("ask", "approve"):
            return _ask(verb, text, found)
        if verb == "result":
            return Say(clean(text, 20_000))
        if verb == "artifact":
            path = str(found.get("path") or "")
            if not path or "\0" in path:
                raise ValueError("it needs path=…")
            name = one_line(text or path.rpartition("/")[2], 200)
            return HandOver(path, name, str(found.get("main", "")).lower() in _YES)
        if verb == "log":
            return Log(text)
    except ValueError as error:
        return _odd(line, str(error))
    return _odd(line, "the words are progress, ask, approve, result, artifact")


def _odd(line: str, why: str) -> Log:
    return Log(f"TaskHub could not read this signal: {why}. The line was: {line[:300]}", "warning")


def _fraction(value: object) -> float | None:
    if value in (None, "", "?", "unknown"):
        return None
    m = _AMOUNT.fullmatch(str(value).strip())
    if not m:
        raise ValueError("progress needs a number such as 0.4, 40% or 2/5")
    total = 100.0 if m[2] else float(m[3]) if m[3] else 1.0
    if not total:
        return None
    if float(m[1]) > total:
        raise ValueError("progress goes from 0 to 1; write 40% or 2/5 for other scales")
    return float(m[1]) / total


def _ask(verb: str, text: str, found: Mapping[str, Any]) -> Ask:
    if not text:
        raise ValueError("a question needs a text after the second ::")
    offered = found.get("choices") or ()
    if not isinstance(offered, (list, tuple)):
        raise ValueError("choices is a list such as choices=a|b|c")
    choices = tuple(dict.fromkeys(c for o in offered[:20] if (c := one_line(str(o), 80))))
    key = found.get("key")
    if key is not None and not (isinstance(key, str) and KEY.fullmatch(key)):
        raise ValueError("a key has 1 to 80 letters, digits, dots, dashes and underscores")
    kind = found.get("kind", "approve" if verb == "approve" else None)
    if kind not in (None, "approve", "approval", "input"):
        raise ValueError("kind is approve or input")
    if kind is None:
        effects = {effect(c) for c in choices}
        kind = "approve" if {"approve", "deny"} <= effects else "input"
    risk = found.get("risk", "low")
    default = found.get("default")
    if risk not in ("low", "high"):
        raise ValueError("risk is low or high")
    if default not in (None, "approve", "deny", "cancel"):
        raise ValueError("default is approve, deny or cancel")
    unanswered = found.get("unanswered")
    if unanswered not in (None, "wait", "remind", "escalate"):
        raise ValueError("unanswered is wait, remind or escalate")
    timeout = _seconds(found["timeout"]) if found.get("timeout") is not None else None
    return Ask(clean(text, 4000), key, kind != "input", choices, risk, timeout, default, unanswered)


def _seconds(value: object) -> float:
    try:
        seconds = float(str(value).removesuffix("s"))
    except ValueError:
        seconds = math.nan
    if not 0 < seconds < 1e9:
        raise ValueError("timeout is a number of seconds above 0")
    return seconds
