"""`python -m taskhub_tui` is `taskhub`."""

import contextlib
import os
import sys
import threading
from typing import NoReturn


def main() -> NoReturn:
    """Run the command line, see `taskhub_tui.cli`, and end this process."""
    threading.excepthook = _thread_failed
    code = 130
    try:
        from taskhub_tui import cli

        code = cli.main()
    except KeyboardInterrupt:  # while modules are still being loaded
        pass
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError):  # closed, or its reader is gone
            stream.flush()
    # What was acknowledged is on disk, and taking all modules apart takes as long as many commands
    # do. After Ctrl-C a connection may hold a thread, too, for which nobody waits any more.
    os._exit(code)


def _thread_failed(args: threading.ExceptHookArgs) -> None:
    """Keep quiet when a thread has an answer for a loop that Ctrl-C has closed."""
    if not (isinstance(args.exc_value, RuntimeError) and "loop is closed" in str(args.exc_value)):
        threading.__excepthook__(args)


if __name__ == "__main__":
    main()
