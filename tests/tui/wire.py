"""What a terminal would obey in a stream of bytes, and what of it the app has a reason to write.

The stream is cut as a terminal cuts it: into text, control characters and whole sequences. Of the
sequences exactly those are the app's own that Textual's driver and compositor write, and our title.
"""

import re
from collections.abc import Iterator

BIDI = "\u061c\u200e\u200f" + "".join(map(chr, [*range(0x202A, 0x202F), *range(0x2066, 0x206A)]))
INVISIBLE = "\u200b\u2028\u2029\u2060\u2061\u2062\u2063\u2064\ufeff\U000e0001\U000e0041"
CONTROLS = "".join(map(chr, [*range(32), *range(127, 160)]))

_MODES = "7|25|1000|1003|1004|1006|1015|1016|1049|2004|2026|2048"
_OWN = re.compile(
    r"\x1b\[[0-9;:]*m"  # colours
    r"|\x1b\[(?:[0-9]+;[0-9]+)?H"  # the place of what follows
    r"|\x1b\[\?2026[hl]"  # a frame begins, and ends
    r"|\x1b\[\?(?:2026|2048)\$p"  # what the terminal can do
    r"|\x1b\[(?:>[0-9]+|<)u"  # how it tells of keys
    r"|\x1b\[2[23];2t"  # keep the title, and give it back
    r"|\x1b\]2;(?:! [0-9]+ · )?TaskHub\x07"
    r"|\x1b\]22;[a-z-]+\x07"  # the shape of the pointer
)
_MODE = re.compile(rf"\x1b\[\?(?:{_MODES})[hl]")
"""What is switched before the first frame, and back after the last one."""
_PLACE = re.compile(r"\x1b\[[0-9]+;[0-9]+H")
# Strings up to BEL or ST (OSC, DCS, APC, PM, SOS), CSI, two-letter sequences, lone controls.
_TOKEN = re.compile(
    "(?:\x1b[\\]PX^_]|[\x90\x98\x9d\x9e\x9f])[^\x07\x1b\x9c]*(?:\x07|\x1b\\\\|\x9c)?"
    "|(?:\x1b\\[|\x9b)[0-?]*[ -/]*[@-~]?"
    "|\x1b[ -/]*[0-~]?"
    f"|[{re.escape(CONTROLS + BIDI + INVISIBLE)}]"
)


def tokens(written: bytes) -> Iterator[str]:
    """Return every sequence and every control or invisible character in what was written.

    Bytes that are no UTF-8 are those of an old terminal, where C1 is one byte.
    """
    text = written.decode("utf-8", "surrogateescape")
    text = re.sub("[\udc80-\udc9f]", lambda m: chr(ord(m[0]) - 0xDC00), text)
    return (found[0] for found in _TOKEN.finditer(text))


def foreign(written: bytes, *, left: bool = False) -> list[str]:
    """Return what a terminal would obey and that the app has no reason to write.

    Args:
        left: the app has left, and may have switched back what it switched on.
    """
    found, painting = [], False
    for one in tokens(written):
        painting = painting or _PLACE.fullmatch(one) is not None
        own = _OWN.fullmatch(one) or (_MODE.fullmatch(one) and (left or not painting))
        if one not in "\r\n" and not own:
            found.append(one)
    return found
