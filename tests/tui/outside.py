"""Text as nobody should send it."""

from wire import BIDI, CONTROLS, INVISIBLE

MARKUP = (
    "[@click=app.quit]quit[/]",
    "[@click=app.copy_to_clipboard('EVIL')]copy[/]",
    "[/x/y]",
    "[/]",
    "[b",
    "[red]r[/red]",
    "[[",
    "$x [link=x]",
    r"\[b]",
)
ESCAPES = (
    "\x1b]52;c;SEVJTA==\x07",
    "\x1b]0;EVIL\x07",
    "\x1b]2;EVIL\x1b\\",
    "\x1b]8;;file:///EVIL\x07link\x1b]8;;\x07",
    "\x1b]8;;https://evil.example\x1b\\link\x1b]8;;\x1b\\",
    "\x1b]9;EVIL\x07",
    "\x1b]777;notify;EVIL;EVIL\x07",
    "\x1b[6n",
    "\x1b[c",
    "\x1b[2J",
    "\x1b[?1049l",
    "\x1b[21t",
    "\x1bPEVIL\x1b\\",
    "\x1b_EVIL\x1b\\",
    "\x9b31m",
    "\x9d0;EVIL\x9c",
    "\x90EVIL\x9c",
    "\x1bc",
    "\x1b#8",
    "\x1b(0",
)
HOSTILE = " ".join((*MARKUP, *ESCAPES)) + CONTROLS.replace("\0", "") + BIDI + INVISIBLE
