"""Mistakes of TaskHub's own: a traceback goes into a private file of the hub, never on a screen."""

import contextlib
import logging
import os
from collections.abc import Iterator
from pathlib import Path

from taskhub_tui import __version__
from taskhub_tui.text import clean
from taskhub_tui.tui.handing import short

LIMIT = 1_000_000
"""Size in bytes from which the file is begun anew; the old one is kept beside it."""
_LONGEST = 100_000
"""Letters of one mistake that are kept."""


class Mistakes(logging.Handler):
    """Writes down what has a traceback; all else that is logged is for nobody here.

    The file is opened for each: mistakes are few, and several apps may write into it.
    """

    def __init__(self, file: Path) -> None:
        super().__init__(logging.ERROR)
        self._file = file
        self.setFormatter(
            logging.Formatter(
                f"%(asctime)s taskhub {__version__}, process %(process)d, %(name)s: %(message)s"
            )
        )

    def emit(self, record: logging.LogRecord) -> None:
        if not record.exc_info:
            return
        # What can be done when it cannot be written, with the disk full say, is nothing.
        with contextlib.suppress(OSError, ValueError):
            told = clean(self.format(record), _LONGEST)
            with contextlib.suppress(FileNotFoundError):
                if self._file.stat().st_size > LIMIT:
                    self._file.replace(self._file.with_suffix(".log.1"))
            flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | getattr(os, "O_NOFOLLOW", 0)
            with os.fdopen(os.open(self._file, flags, 0o600), "a", encoding="utf-8") as lines:
                lines.write(f"{told}\n\n")


@contextlib.contextmanager
def kept(file: Path) -> Iterator[Path]:
    """Write down the mistakes that are made meanwhile; yields the file."""
    handler = Mistakes(file)
    logging.getLogger().addHandler(handler)
    try:
        yield file
    finally:
        logging.getLogger().removeHandler(handler)


def where(app: object) -> str:
    """Return the end of a sentence that says where an app has written a mistake down."""
    file = getattr(app, "mistakes", None)
    return f"; {short(file)} says more" if isinstance(file, Path) else ""
