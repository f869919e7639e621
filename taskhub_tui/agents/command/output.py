"""What a command says in its output: progress, questions, results, and plain lines of log.

Whom to believe about progress, most first: explicit signals (`::taskhub progress`, JSON lines),
escape sequences meant for it (OSC 9;4, OSC 26), and the percentages that programs print for
people. Once a better source has spoken, the weaker ones are ignored.
"""

import re
from collections.abc import Generator, Iterator, Mapping
from typing import Any

from taskhub_tui.agents.command.percent import Percent, hinted
from taskhub_tui.agents.command.signals import Log, Progress, Signal, command, from_json

EXPLICIT, SEQUENCE, PERCENT, NONE = 3, 2, 1, 0
LINE_CAP = 1 << 16  #: bytes of one line that are kept
DRAWN_CAP = 1000  #: characters of a line that may be drawn over, kept over a restart

_DIGIT = re.compile(r"\d")
_OSC = re.compile(rb"\x1b\](\d+);([^\x07\x1b\n]{0,4096})(?:\x07|\x1b\\)")
_CSI = re.compile("\x1b(?:\\[[0-?]*[ -/]*[@-~]|[()][0-9A-B]|[=>78cDEHMNOZ])")
_SIGNAL = re.compile(rb'^(?:::taskhub[ \t]|\{"taskhub")[^\n]*\n', re.M)
_STARTS = (b"::taskhub", b'{"taskhub"')


class OutputParser:
    """Turns bytes, cut anywhere, into signals.

    `position` is the offset from which another parser, given `state()`, goes on without losing or
    doubling a line. While the caller holds a signal of an explicit line, it is where that line
    begins.
    """

    def __init__(self, position: int = 0, state: Mapping[str, Any] | None = None) -> None:
        state = state or {}
        self.position = position
        self.end = position
        """Offset after the last byte that was fed."""
        self._trust = int(state.get("trust", NONE))
        self._skipping = bool(state.get("skipping"))
        self._percent = Percent(float(state.get("duration", 0)))
        self._pending = b""
        # What comes next is drawn over this; an end of line alone leaves it standing.
        self._drawn = str(state.get("drawn") or "")
        self._over = bool(self._drawn)
        self._last: tuple[float | None, str | None] | None = None

    def state(self) -> dict[str, Any]:
        """Return what the next parser must know, as small JSON."""
        return {
            "trust": self._trust,
            "skipping": self._skipping,
            "duration": self._percent.duration,
            "drawn": self._drawn,
        }

    def feed(self, data: bytes) -> Iterator[Signal]:
        """Yield what `data` completes. Each signal must be handled before the next is taken."""
        at, start = 0, self.end
        self.end += len(data)
        if self._skipping:
            at = data.find(b"\n") + 1
            if not at:
                self.position = self.end
                return
            self._skipping = False
            self.position = start + at
        # A carriage return at the very end may be half of CR LF.
        last = max(data.rfind(b"\n", at), data.rfind(b"\r", at, len(data) - 1)) + 1
        for cut in self._cuts(data, at, last) if last else ():
            block = self._pending + data[at:cut]
            self._pending = b""
            yield from self._block(block)
            at = cut
            self.position = start + at
        self._pending += data[at:]
        if b"\x1b]" in self._pending:
            self._pending = yield from self._sequences(self._pending)
        if len(self._pending) > LINE_CAP:
            yield from self._text(self._pending[:LINE_CAP] + b" [the rest of this line is cut]\n")
            self._pending, self._skipping = b"", True
            self.position = self.end

    def peek(self) -> Iterator[Signal]:
        """Yield the progress that an unfinished line shows; bars wait for their next redrawing."""
        if self._pending and self._trust <= PERCENT:
            line = _CSI.sub("", self._pending.decode("utf-8", "replace"))
            redrawn = self._over or "\r" in line
            yield from self._shown(line.rstrip("\r").rpartition("\r")[2], redrawn=redrawn)

    def finish(self) -> Iterator[Signal]:
        """Yield what stands after the last newline; nothing more will come."""
        if self._pending:
            yield from self._block(self._pending + b"\n")
            self._pending, self.position = b"", self.end

    def _cuts(self, data: bytes, at: int, last: int) -> Iterator[int]:
        """Yield where to cut so that every explicit line stands alone."""
        if self._pending.startswith(_STARTS) and b"\n" in data[at:last]:
            at = data.index(b"\n", at) + 1
            yield at
        if b"taskhub" in data:
            for m in _SIGNAL.finditer(data, at, last):
                if self._pending and m.start() == 0:
                    continue  # the middle of a line
                if m.start() > at:
                    yield m.start()
                at = m.end()
                yield at
        if at < last:
            yield last

    def _block(self, block: bytes) -> Iterator[Signal]:
        if b"\x1b]" in block:
            block = yield from self._sequences(block)
        yield from self._text(block)

    def _text(self, block: bytes) -> Iterator[Signal]:
        """Yield the signals of whole lines; runs of plain ones come as one piece of log."""
        text = block.decode("utf-8", "replace").replace("\r\n", "\n")
        drawn_before, self._drawn = self._drawn, ""
        over, self._over = self._over, text.endswith("\r")
        told = over or "::" in text or '{"taskhub"' in text or "\r" in text
        if not told and (self._trust > PERCENT or not hinted(text)):
            yield Log(text.removesuffix("\n"))
            return
        if "\x1b" in text:
            text = _CSI.sub("", text)
        plain: list[str] = []
        lines = text.split("\n")
        for number, drawn in enumerate(lines[:-1]):
            over = over and number == 0
            line = (yield from self._redrawn(drawn)) if "\r" in drawn else drawn
            if drawn_before and over and not drawn.strip("\r"):
                line = drawn_before
            if line is None:
                continue
            found: Signal | None = None
            if line.startswith("::"):
                found = command(line)
            elif line.startswith('{"taskhub"'):
                found = from_json(line)
            if found is None:
                yield from self._shown(line, redrawn=over or "\r" in drawn)
                plain.append(line)
                continue
            if plain:
                yield Log("\n".join(plain))
                plain = []
            if isinstance(found, Progress):
                self._trust = EXPLICIT
            yield found
        if plain:
            yield Log("\n".join(plain))
        if lines[-1]:
            left = yield from self._redrawn(lines[-1])
            self._drawn = (left or drawn_before if len(lines) == 1 else left or "")[:DRAWN_CAP]

    def _redrawn(self, line: str) -> Generator[Signal, None, str | None]:
        """Yield the newest progress of a line drawn several times; return what stays of it."""
        parts = line.split("\r")
        if self._trust <= PERCENT and _DIGIT.search(line):
            for part in reversed(parts[:-1]):
                fraction = self._percent.fraction(part, redrawn=True)
                if fraction is not None:
                    self._trust = PERCENT
                    yield from self._moved(fraction, None)
                    break
        # An empty last part leaves standing what was drawn before.
        left = parts[-1] or next((part for part in reversed(parts) if part), "")
        return left if left.strip() else None

    def _shown(self, line: str, *, redrawn: bool = False) -> Iterator[Signal]:
        if self._trust > PERCENT:
            return
        fraction = self._percent.fraction(line, redrawn=redrawn)
        if fraction is not None:
            self._trust = PERCENT
            yield from self._moved(fraction, None)

    def _moved(self, fraction: float | None, note: str | None) -> Iterator[Signal]:
        now = (None if fraction is None else round(fraction, 3), note)
        if now != self._last:
            self._last = now
            yield Progress(fraction, note)

    def _sequences(self, block: bytes) -> Generator[Signal, None, bytes]:
        """Yield what the OSC sequences in `block` say; return it without them."""
        signals: list[Signal] = []

        def take(m: re.Match[bytes]) -> bytes:
            signals.extend(self._sequence(int(m[1]), m[2].decode("utf-8", "replace")))
            return b""

        block = _OSC.sub(take, block)
        yield from signals
        return block

    def _sequence(self, number: int, text: str) -> Iterator[Signal]:
        """OSC 9;4 as ConEmu defined it; OSC 26 as proposed; OSC 9 and 777 are notifications."""
        if number == 9 and (text == "4" or text.startswith("4;")):
            _, state, value, *_ = [*text.split(";"), "", ""]
            fraction = min(int(value) / 100, 1.0) if value.isdecimal() else None
            words = {"1": None, "2": "error", "3": None, "4": "paused"}
            known = state in words and (state != "1" or fraction is not None)
            if known and self._trust <= SEQUENCE:
                self._trust = SEQUENCE
                yield from self._moved(None if state == "3" else fraction, words[state])
        elif number == 26:
            m = re.search(r"TaskProgress=(\d{1,9})/(\d{1,9})", text)
            if m and self._trust <= SEQUENCE and 0 < int(m[2]) >= int(m[1]):
                self._trust = SEQUENCE
                yield from self._moved(int(m[1]) / int(m[2]), None)
        elif number in (9, 777):
            yield Log(text.removeprefix("notify;"), "notice")
