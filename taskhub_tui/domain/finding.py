"""Looking for words, or for mistakes, in text of any length."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

_ERRORS = re.compile(
    r"\b(?:error|errors|exception|traceback|fatal|panic|failed|failure|critical)\b"
    r"|(?-i:[a-z](?:Error|Exception))\b",
    re.IGNORECASE,
)
_WORDS = ("error", "exception", "traceback", "fatal", "panic", "fail", "critical")
_NONE = re.compile(
    r"\b(?:0|no|without)\s+(?:errors?|failures?|failed|exceptions?)\b", re.IGNORECASE
)


class Wanted(Protocol):
    """What is looked for."""

    def may_hold(self, text: str) -> bool:
        """Return False when surely nothing in `text` is meant; cheap."""
        ...

    def lines(self, text: str, stream: str) -> Iterator[int]:
        """Return the numbers of the lines of `text` that are meant, rising, from 0."""
        ...


@dataclass(frozen=True)
class Words:
    """Words as they stand; capitals count only where there are some."""

    text: str

    @cached_property
    def pattern(self) -> re.Pattern[str]:
        exact = self.text != self.text.lower()
        return re.compile(re.escape(self.text), 0 if exact else re.IGNORECASE)

    def may_hold(self, text: str) -> bool:
        if self.text != self.text.lower():
            return self.text in text
        return self.text in text.lower()

    def lines(self, text: str, stream: str) -> Iterator[int]:
        return _lines_of(self.pattern, text)

    def spans(self, text: str) -> list[tuple[int, int]]:
        """Return where they stand in a line."""
        return [match.span() for match in self.pattern.finditer(text)] if self.text else []


@dataclass(frozen=True)
class Errors:
    """Lines that tell of a mistake: what came on stderr, and what says so in its words."""

    def may_hold(self, text: str) -> bool:
        # Not by the pattern: on a long text that would hold up every other thread.
        small = text.lower()
        return "\terr\t" in text or any(word in small for word in _WORDS)

    def lines(self, text: str, stream: str) -> Iterator[int]:
        if stream == "err":
            yield from range(text.count("\n") + 1)
            return
        small = text.lower()
        if not any(word in small for word in _WORDS):
            return
        lines: list[str] | None = None
        for number in _lines_of(_ERRORS, text):
            lines = lines or text.split("\n")
            # `0 errors` is good news.
            if _ERRORS.search(_NONE.sub("", lines[number])):
                yield number


def _lines_of(pattern: re.Pattern[str], text: str) -> Iterator[int]:
    number = at = 0
    found = pattern.search(text)
    while found:
        number += text.count("\n", at, found.start())
        yield number
        end = text.find("\n", found.start())
        if end < 0:
            return
        number, at = number + 1, end + 1
        found = pattern.search(text, at)
