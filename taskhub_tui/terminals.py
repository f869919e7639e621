"""Which terminal this is, and what it is known to take: a table by the environment.

A terminal is never asked: the app would take its answer for keys. tmux is, by a command of its own.
A doubt is a no; then the terminal only rings.
"""

import os
import re
import subprocess
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from taskhub_tui.text import one_line

Form = Literal["", "9", "99", "777"]
"""The OSC sequence by which a terminal shows a message; "" is none."""
Environ = Mapping[str, str]

BELL = "\a"
TITLE, BODY = 100, 240
"""Most characters of a message that are shown."""
_DEPTH = 4
"""Most tmux servers in each other that are looked through."""
_PARENTS = 8
"""Most processes that are looked at for what tmux was started from."""
_OF_TMUX = ("TMUX", "TMUX_PANE")
_INSIDE = ("tmux", "screen")
"""How TERM begins inside of tmux."""
_TYPE = re.compile(r"([\w.]+)[ (]v?([\w.-]*)")
"""How terminals call themselves when tmux asks, such as `ghostty 1.2.3`, `kitty(0.42.1)`."""

_TERMS = {
    "xterm-kitty": "kitty",
    "xterm-ghostty": "ghostty",
    "foot": "foot",
    "foot-extra": "foot",
    "alacritty": "alacritty",
}
"""What only one terminal gives as TERM."""
_PROGRAMS = {"iterm.app": "iterm2", "apple_terminal": "apple"}
"""TERM_PROGRAM, where it is not the name in lower case."""
_MARKS = {
    "WT_SESSION": "windows-terminal",
    "ConEmuPID": "conemu",
    "VTE_VERSION": "vte",
    "KONSOLE_VERSION": "konsole",
    "XTERM_VERSION": "xterm",
    "ALACRITTY_WINDOW_ID": "alacritty",
    "WEZTERM_PANE": "wezterm",
    "ITERM_SESSION_ID": "iterm2",
    # kitty itself has a TERM of its own; here it is whoever was started from it.
    "KITTY_WINDOW_ID": "started from kitty",
    "INSIDE_EMACS": "emacs",
}
_FORMS: Mapping[str, Form] = {
    "kitty": "99",
    "foot": "777",
    "ghostty": "777",
    "wezterm": "777",
    "windows-terminal": "777",
    "iterm2": "9",
}
_RINGS = frozenset({"windows-terminal"})
"""Those that take it since lately, and whose version cannot be known: older ones ignore it."""
_PROGRESS: Mapping[str, tuple[int, ...]] = {
    "ghostty": (1, 2),
    "iterm2": (3, 6, 6),
    "kitty": (0, 40),
    "mintty": (3, 5),
    "vte": (8000,),
    "windows-terminal": (),
    "conemu": (),
}
"""Since which version progress (OSC 9;4) is shown."""
_UNSAID = frozenset({"kitty"})
"""Those that say no version to whom they start, and have long shown progress."""


@dataclass(frozen=True, slots=True)
class Terminal:
    """What a terminal is known to take."""

    name: str = ""
    """"" when it is not known."""
    form: Form = ""
    progress: bool = False
    tmux: int = 0
    """How many tmux servers lie between."""
    shut: bool = False
    """True: one of them hands nothing on."""

    @property
    def rings(self) -> bool:
        """True when a bell belongs to each message: nobody knows whether that is shown."""
        return not self.form or self.tmux > 0 or self.name in _RINGS


def here(environ: Environ = os.environ) -> Terminal:
    """Return what the terminal of this process takes; asks tmux, so it takes some milliseconds."""
    return known(environ)


def known(
    environ: Environ,
    *,
    ask: Callable[[Environ, Sequence[str]], str] | None = None,
    environ_of: Callable[[int], Environ | None] | None = None,
) -> Terminal:
    """Return what the terminal with this environment takes.

    Args:
        ask: runs tmux with these words, of the server that the environment names.
        environ_of: gives the environment of a process, None where it cannot be read.
    """
    return _known(environ, ask or _tmux, environ_of or _environ_of, _DEPTH)


def _known(
    environ: Environ,
    ask: Callable[[Environ, Sequence[str]], str],
    environ_of: Callable[[int], Environ | None],
    depth: int,
) -> Terminal:
    if not environ.get("TMUX"):
        name, version = _named(environ)
        return _taking(name, version)
    if ask(environ, ["show-options", "-Apv", "allow-passthrough"]) not in ("on", "all"):
        return Terminal(tmux=1, shut=True)
    pane = ["-t", environ["TMUX_PANE"]] if environ.get("TMUX_PANE") else []
    listed = ask(environ, ["list-clients", *pane, "-F", "#{client_pid} #{client_termtype}"])
    found = set()
    for line in listed.splitlines():
        pid, _, kind = line.partition(" ")
        outer = environ_of(int(pid)) if pid.isdecimal() else None
        one = Terminal()
        if outer is not None and depth > 0:
            one = _known(outer, ask, environ_of, depth - 1)
        if not (one.name or one.tmux) and (said := _TYPE.match(kind)):
            one = _taking(_program(said[1]), said[2])
        found.add(one)
    # What is written goes to all that look on.
    outside = found.pop() if len(found) == 1 else Terminal()
    return replace(outside, tmux=outside.tmux + 1)


def _named(environ: Environ) -> tuple[str, str]:
    """Return the name of the terminal and its version; "" is not known."""
    program, version = _program(environ.get("TERM_PROGRAM", "")), ""
    if program:
        version = environ.get("TERM_PROGRAM_VERSION", "")
    term = environ.get("TERM", "")
    if environ.get("STY") or environ.get("ZELLIJ"):
        return "", ""  # They hand nothing on.
    if (name := _TERMS.get(term)) is not None:
        return name, version if program == name else ""
    if term and not term.startswith("xterm"):
        return "", ""
    names = {name for mark, name in _MARKS.items() if environ.get(mark)}
    if program:
        names.add(program)
    elif environ.get("LC_TERMINAL") == "iTerm2":  # It comes along over SSH.
        names.add("iterm2")
        version = environ.get("LC_TERMINAL_VERSION", "")
    # Of two, one has started the other, and left its marks.
    if len(names) != 1:
        return "", ""
    name = names.pop()
    return name, environ["VTE_VERSION"] if name == "vte" else version


def _program(name: str) -> str:
    return _PROGRAMS.get(name.lower(), name.lower())


def _taking(name: str, version: str) -> Terminal:
    least = _PROGRESS.get(name)
    parts = version.strip("()").split("-")[0].split(".")
    found = tuple(int(part) for part in parts if part.isdigit())
    progress = least is not None and (found >= least or (not version and name in _UNSAID))
    return Terminal(name, _FORMS.get(name, ""), progress)


def _tmux(environ: Environ, words: Sequence[str]) -> str:
    its = {name: environ[name] for name in _OF_TMUX if name in environ}
    rest = {name: value for name, value in os.environ.items() if name != "TMUX_PANE"}
    with suppress(OSError, subprocess.SubprocessError):
        return subprocess.run(
            ["tmux", *words],
            env={**rest, **its},
            capture_output=True,
            text=True,
            errors="replace",
            timeout=2,
            check=False,
        ).stdout.strip()
    return ""


def _environ_of(pid: int) -> Environ | None:
    """Return the environment that a process was started with, where the system shows it.

    Who starts tmux in tmux takes TMUX away before; whoever that was started from still has it.
    """
    found = _started_with(pid)
    if found is None or found.get("TMUX") or not found.get("TERM", "").startswith(_INSIDE):
        return found
    for _ in range(_PARENTS):
        pid = _parent(pid)
        outer = _started_with(pid) if pid > 1 else None
        if outer is None:
            break
        if outer.get("TMUX"):
            return {**found, **{name: outer[name] for name in _OF_TMUX if name in outer}}
    return found


def _started_with(pid: int) -> Environ | None:
    with suppress(OSError):
        said = Path(f"/proc/{pid}/environ").read_bytes().decode(errors="replace")
        return dict(part.split("=", 1) for part in said.split("\0") if "=" in part)
    return None


def _parent(pid: int) -> int:
    with suppress(OSError, ValueError, IndexError):
        # The name, in brackets, may have blanks and brackets in it.
        said = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
        return int(said.rpartition(")")[2].split()[1])
    return 0


# What is written


def wrapped(sequence: str, levels: int) -> str:
    """Return a sequence as it passes through so many tmux servers."""
    for _ in range(levels):
        sequence = "\x1bPtmux;" + sequence.replace("\x1b", "\x1b\x1b") + "\x1b\\"
    return sequence


def message(terminal: Terminal, key: str, title: str, body: str) -> str:
    """Return what shows a message, or rings; nothing in the text can end it early.

    Args:
        key: by which it can be taken back; one with the same key takes its place.
    """
    title, body = one_line(title, TITLE), one_line(body, BODY)
    bell = BELL if terminal.rings else ""
    match terminal.form:
        case "99":
            name = _name(key)
            parts = [f"\x1b]99;i={name}:d={0 if body else 1};{title}\x1b\\"]
            if body:
                parts.append(f"\x1b]99;i={name}:d=1:p=body;{body}\x1b\\")
        case "777":
            title, body = title.replace(";", ","), body.replace(";", ",")
            parts = [f"\x1b]777;notify;{title};{body}\x07"]
        case "9":
            text = f"{title}: {body}" if body else title
            # A number at the beginning would be read as a command, such as one for progress.
            text = f" {text}" if text[:1].isdigit() else text
            parts = [f"\x1b]9;{text}\x07"]
        case _:
            parts = []
    return "".join(wrapped(part, terminal.tmux) for part in parts) + bell


def takes_back(terminal: Terminal) -> bool:
    """Tell whether a message can be taken off the screen again."""
    return terminal.form == "99"


def withdrawal(terminal: Terminal, key: str) -> str:
    """Return what takes a message off the screen; "" where that cannot be."""
    if not takes_back(terminal):
        return ""
    return wrapped(f"\x1b]99;i={_name(key)}:p=close;\x1b\\", terminal.tmux)


def _name(key: str) -> str:
    return re.sub(r"[^\w.-]", "", key, flags=re.ASCII)[:60]


def saying(terminal: Terminal) -> str:
    """Say in a sentence or two what was written for a message."""
    if terminal.shut:
        return (
            "It rings only: tmux hands no message on."
            " `set -g allow-passthrough on` in tmux.conf lets it."
        )
    if not terminal.form:
        return "It rings only: this terminal is not known to show messages."
    said = f"Written as OSC {terminal.form} for {_TITLES[terminal.name]}"
    said += " through tmux" if terminal.tmux else ""
    return f"{said}; some show it only while another window is in front."


_TITLES = {
    "kitty": "kitty",
    "foot": "foot",
    "ghostty": "Ghostty",
    "wezterm": "WezTerm",
    "windows-terminal": "Windows Terminal",
    "iterm2": "iTerm2",
}
