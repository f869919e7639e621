"""What is written to which terminal: exact bytes, a bell in doubt, and no surprises."""

import re
from collections.abc import Mapping, Sequence

import pytest

from taskhub_tui import terminals
from taskhub_tui.terminals import Terminal, known, message, saying, takes_back, withdrawal

XTERM = {"TERM": "xterm-256color"}
KITTY = {"TERM": "xterm-kitty", "KITTY_WINDOW_ID": "1"}
GHOSTTY = {"TERM": "xterm-ghostty", "TERM_PROGRAM": "ghostty", "TERM_PROGRAM_VERSION": "1.2.0"}
FOOT = {"TERM": "foot"}
ITERM = XTERM | {
    "TERM_PROGRAM": "iTerm.app", "TERM_PROGRAM_VERSION": "3.5.14", "LC_TERMINAL": "iTerm2",
    "ITERM_SESSION_ID": "w0t0p0",
}  # fmt: skip
WEZTERM = XTERM | {"TERM_PROGRAM": "WezTerm", "WEZTERM_PANE": "0"}
WINDOWS = XTERM | {"WT_SESSION": "3fa8"}
IN_TMUX = {"TMUX": "/tmp/tmux-0/default,1,0", "TMUX_PANE": "%0", "TERM": "tmux-256color"}
PRESS = ("taskhub-7", "Needs you: Deploy", "May it run?")


@pytest.mark.parametrize(
    ("environ", "written"),
    [
        (
            KITTY,
            "\x1b]99;i=taskhub-7:d=0;Needs you: Deploy\x1b\\"
            "\x1b]99;i=taskhub-7:d=1:p=body;May it run?\x1b\\",
        ),
        (GHOSTTY, "\x1b]777;notify;Needs you: Deploy;May it run?\x07"),
        (FOOT, "\x1b]777;notify;Needs you: Deploy;May it run?\x07"),
        (WEZTERM, "\x1b]777;notify;Needs you: Deploy;May it run?\x07"),
        (ITERM, "\x1b]9;Needs you: Deploy: May it run?\x07"),
        # An old one ignores it, and its version is not known.
        (WINDOWS, "\x1b]777;notify;Needs you: Deploy;May it run?\x07\a"),
        # Over SSH only these come along.
        ({"TERM": "xterm-ghostty"}, "\x1b]777;notify;Needs you: Deploy;May it run?\x07"),
        (XTERM | {"LC_TERMINAL": "iTerm2"}, "\x1b]9;Needs you: Deploy: May it run?\x07"),
    ],
    ids=["kitty", "ghostty", "foot", "wezterm", "iterm2", "windows", "ghostty-ssh", "iterm2-ssh"],
)
def test_a_terminal_that_is_known_shows_a_message(environ: dict[str, str], written: str) -> None:
    assert message(known(environ), *PRESS) == written


@pytest.mark.parametrize(
    "environ",
    [
        XTERM,
        {},
        {"TERM": "dumb"},
        {"TERM": "alacritty"},
        XTERM | {"VTE_VERSION": "8003"},
        XTERM | {"TERM_PROGRAM": "Apple_Terminal", "TERM_PROGRAM_VERSION": "455"},
        XTERM | {"TERM_PROGRAM": "vscode"},
        XTERM | {"ConEmuPID": "7"},
        XTERM | {"KONSOLE_VERSION": "240801"},
        # One was started from the other, and which of them this is nobody knows.
        XTERM | {"KITTY_WINDOW_ID": "1"},
        WINDOWS | {"TERM_PROGRAM": "vscode"},
        GHOSTTY | {"TERM": "xterm-256color", "VTE_VERSION": "8003"},
        GHOSTTY | {"TERM": "alacritty"},
        # Between them lies what hands nothing on, or may be a tmux of which we know nothing.
        KITTY | {"STY": "1.pts"},
        GHOSTTY | {"ZELLIJ": "0"},
        ITERM | {"TERM": "screen-256color"},
        ITERM | {"TERM": "tmux-256color"},
    ],
    ids=str,
)
def test_where_there_is_a_doubt_it_only_rings(environ: dict[str, str]) -> None:
    assert message(known(environ), *PRESS) == "\a"
    assert "rings only" in saying(known(environ))


class Tmux:
    """Servers of tmux as the test says: by socket, whether they hand on, and their clients."""

    def __init__(self, **servers: tuple[str, Sequence[str]]) -> None:
        self.servers = servers
        self.environs: dict[int, Mapping[str, str]] = {}

    def ask(self, environ: Mapping[str, str], words: Sequence[str]) -> str:
        allowed, clients = self.servers[environ["TMUX"].split(",")[0]]
        if words[0] == "show-options":
            assert words == ["show-options", "-Apv", "allow-passthrough"]
            return allowed
        assert words[:3] == ["list-clients", "-t", environ["TMUX_PANE"]]
        return "\n".join(clients)

    def known(self, socket: str = "inner") -> Terminal:
        environ = IN_TMUX | {"TMUX": f"{socket},1,0", "WT_SESSION": "of long ago"}
        return known(environ, ask=self.ask, environ_of=self.environs.get)


@pytest.mark.parametrize("allowed", ["on", "all"])
def test_tmux_hands_on_what_is_wrapped_and_is_rung_besides(allowed: str) -> None:
    tmux = Tmux(inner=(allowed, ["11 ghostty 1.2.3"]))
    assert message(tmux.known(), *PRESS) == (
        "\x1bPtmux;\x1b\x1b]777;notify;Needs you: Deploy;May it run?\x07\x1b\\\a"
    )
    tmux = Tmux(inner=(allowed, ["11 kitty(0.42.1)"]))
    assert message(tmux.known(), "k", "A", "") == (
        "\x1bPtmux;\x1b\x1b]99;i=k:d=1;A\x1b\x1b\\\x1b\\\a"
    )


@pytest.mark.parametrize("allowed", ["off", ""])
def test_tmux_that_hands_nothing_on_only_rings_and_says_what_would_help(allowed: str) -> None:
    terminal = Tmux(inner=(allowed, ["11 ghostty 1.2.3"])).known()
    assert message(terminal, *PRESS) == "\a"
    assert "set -g allow-passthrough on" in saying(terminal)


def test_the_environment_of_who_looks_on_counts_before_what_tmux_was_told() -> None:
    tmux = Tmux(inner=("on", ["11 ", "12 "]))
    tmux.environs = {11: WEZTERM, 12: WEZTERM}
    assert tmux.known() == Terminal("wezterm", "777", tmux=1)
    # Two that look on from two kinds of terminals: what one shows the other may not.
    tmux.environs[12] = ITERM
    assert message(tmux.known(), *PRESS) == "\a"
    # Nobody looks on.
    assert message(Tmux(inner=("on", [])).known(), *PRESS) == "\a"


def test_each_tmux_in_another_has_a_wrapping_of_its_own() -> None:
    tmux = Tmux(inner=("on", ["11 tmux 3.4"]), outer=("on", ["12 "]))
    tmux.environs = {11: IN_TMUX | {"TMUX": "outer,1,0"}, 12: ITERM}
    assert message(tmux.known(), "k", "A", "b") == (
        "\x1bPtmux;\x1b\x1bPtmux;\x1b\x1b\x1b\x1b]9;A: b\x07\x1b\x1b\\\x1b\\\a"
    )
    tmux.servers["outer"] = ("off", ["12 "])
    assert message(tmux.known(), "k", "A", "b") == "\a"
    # Of the outer one nothing is known.
    assert message(Tmux(inner=("on", ["11 tmux 3.4"])).known(), "k", "A", "b") == "\a"


HOSTILE = (
    "x\x07\x1b]52;c;ZXZpbA==\x07 \x1b\\\x9d0;title\x9c\x1b[6n \x1bPtmux;\x1b\x1b]9;no\x07\x1b\\"
    "\u202e\u2066\u200b\ud800 ;end;\n\r\tof \x00\x85 it" + "\U000e0041" * 9 + "é" * 5000
)


@pytest.mark.parametrize("environ", [KITTY, GHOSTTY, FOOT, WEZTERM, ITERM, WINDOWS, XTERM], ids=str)
@pytest.mark.parametrize("place", ["title", "body", "key"])
@pytest.mark.parametrize("levels", [0, 2])
def test_no_text_from_outside_ends_a_sequence_or_begins_one(
    environ: dict[str, str], place: str, levels: int
) -> None:
    given = {"key": "taskhub-7", "title": "A", "body": "b", place: HOSTILE}
    outside = known(environ)
    terminal = Terminal(outside.name, outside.form, tmux=levels)
    written = message(terminal, **given)
    for _ in range(levels):
        parts = re.findall(r"\x1bPtmux;((?:\x1b\x1b|[^\x1b])*)\x1b\\", written)
        written = "".join(parts).replace("\x1b\x1b", "\x1b")
    bodies = re.fullmatch(
        r"(?:\x1b\](?:99|777|9);([^\x00-\x1f\x7f-\x9f]*)(?:\x07|\x1b\\))*\a?", written
    )
    assert bodies is not None, written
    assert not re.search("[\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ud800-\udfff]", written)
    assert len(written.encode()) < 1200


def test_a_number_at_the_beginning_is_no_command_of_conemu() -> None:
    terminal = known(ITERM)
    assert message(terminal, "k", "4;1;50", "") == "\x1b]9; 4;1;50\x07"
    assert message(terminal, "k", "12 tasks need you", "b") == "\x1b]9; 12 tasks need you: b\x07"


def test_what_separates_title_and_body_is_in_neither() -> None:
    assert message(known(GHOSTTY), "k", "a;b", "c;d") == "\x1b]777;notify;a,b;c,d\x07"


def test_only_kitty_takes_a_message_back() -> None:
    assert withdrawal(known(KITTY), "taskhub-7") == "\x1b]99;i=taskhub-7:p=close;\x1b\\"
    for environ in (GHOSTTY, ITERM, XTERM, WINDOWS, FOOT):
        assert not takes_back(known(environ))
        assert withdrawal(known(environ), "taskhub-7") == ""


def test_a_terminal_is_never_asked_for_an_answer() -> None:
    for environ in (KITTY, GHOSTTY, FOOT, WEZTERM, ITERM, WINDOWS, XTERM):
        terminal = known(environ)
        written = message(terminal, *PRESS) + withdrawal(terminal, "taskhub-7")
        assert not re.search(
            r"[;:](?:a=report|c=1|p=\?|p=alive)|\]1[01];\?|\x1b\[c|\x1b\[6n", written
        )


def test_what_was_written_is_said_as_it_is() -> None:
    assert saying(known(GHOSTTY)) == (
        "Written as OSC 777 for Ghostty; some show it only while another window is in front."
    )
    assert set(terminals._FORMS) == set(terminals._TITLES)
