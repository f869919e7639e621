"""`python -m taskhub_tui` is `taskhub`."""

import os
import sys
import threading


def main() -> int:
    """Run the command line; see `taskhub_tui.cli`."""
    threading.excepthook = _thread_failed
    code = 130
    try:
        from taskhub_tui import cli

        code = cli.main()
    except KeyboardInterrupt:  # while modules are still being loaded
        pass
    if code == 130:
        # A connection that was being opened may hold a thread for which nobody waits any more.
        # There is nothing to save here: what was acknowledged is on disk.
        os._exit(code)
    return code


def _thread_failed(args: threading.ExceptHookArgs) -> None:
    """Keep quiet when a thread has an answer for a loop that Ctrl-C has closed."""
    if not (isinstance(args.exc_value, RuntimeError) and "loop is closed" in str(args.exc_value)):
        threading.__excepthook__(args)


if __name__ == "__main__":
    sys.exit(main())
