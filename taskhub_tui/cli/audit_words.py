"""The words of the commands about decisions: what waits, what was decided, which rules hold."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import argparse

    from taskhub_tui.cli.parser import Adder

SCOPES = ("task", "playbook", "agent", "folder", "command")
"""Of always-allow rules."""


def inbox(add: Adder) -> None:
    """Add `inbox`."""
    add(
        "inbox",
        "audit.inbox",
        "list what waits for you",
        "Questions, failures, and what came paused from a backup; the most urgent first.",
    )


def decisions(add: Adder) -> None:
    """Add `rules` and `audit`."""
    add(
        "rules",
        "audit.rules",
        "list what is always allowed, or change it",
        "A rule approves what agents ask; never what is of high risk, a gate or a review.",
        _rules,
    )
    add(
        "audit",
        "audit.audit",
        "list who decided what",
        "When, by which channel, what was shown, and which rule; also answers from outside that "
        "were not taken. With an ID all of it is printed, the oldest first.",
        _audit,
    )


def always(approve: argparse.ArgumentParser) -> None:
    """Add what makes a rule of an approval."""
    approve.add_argument(
        "--always",
        metavar="SCOPE",
        choices=SCOPES,
        help=f"from now on without asking; SCOPE is {', '.join(SCOPES[:-1])} or {SCOPES[-1]}",
    )
    approve.add_argument(
        "--pattern",
        metavar="PATTERN",
        help="with --always command: such as `git status *`; else exactly this command",
    )


def _rules(rules: argparse.ArgumentParser) -> None:
    what = rules.add_mutually_exclusive_group()
    what.add_argument("--all", action="store_true", help="also those that were revoked")
    what.add_argument(
        "--allow",
        metavar="SCOPE=VALUE",
        help="make one: agent=NAME, folder=DIR, command=PATTERN, playbook=NAME or task=ID",
    )
    what.add_argument("--revoke", metavar="RULE", action="append", help="end one; may be repeated")


def _audit(audit: argparse.ArgumentParser) -> None:
    from taskhub_tui.cli.parser import ID, count

    audit.add_argument("id", metavar="ID", nargs="?", help=ID)
    audit.add_argument(
        "-n", type=count, metavar="N", dest="limit", default=50, help="at most N; else 50"
    )
