"""`python -m taskhub_tui` is `taskhub`."""

import sys


def main() -> int:
    """Run the command line; see `taskhub_tui.cli`."""
    try:
        from taskhub_tui import cli

        return cli.main()
    except KeyboardInterrupt:  # while modules are still being loaded
        return 130


if __name__ == "__main__":
    sys.exit(main())
