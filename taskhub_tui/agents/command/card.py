"""What the command agent says about itself; importing this needs nothing of the agent."""

import os
from collections.abc import Mapping

from taskhub_tui.domain.model import AgentCard

MEANINGS: Mapping[str, str] = {
    "argv": "the program and its arguments, a list",
    "fill": "true: {prompt}, {task}, {workdir} and {outdir} are replaced in argv",
    "shell": "instead of argv: a line for `sh -c`; nothing is replaced in it, see $TASKHUB_PROMPT",
    "cwd": "folder to run in, relative to the task's folder",
    "env": "extra variables; a value of null removes one",
    "pty": "true: run it on a terminal of 120x40",
    "stdin": "true: answers also arrive on its standard input, one a line",
    "grace": "seconds between INT, TERM and KILL when it is cancelled; 5 by default",
    "ok_codes": "exit codes that mean success; [0] by default",
    "max_output_mb": "how much output is kept; 1024 by default",
    "umask": 'file mode mask such as "022"; by default that of who started the worker',
    "secret_env": "names of variables given by --env; it runs only with all of them",
}


def make_card() -> AgentCard:
    """Return the card."""
    return AgentCard(
        name="command",
        title="Command",
        description="Runs a program or script, keeps its output, and passes on its progress, "
        "questions and files.",
        capabilities=frozenset({"run", "shell"}),
        keywords=("run", "script", "command"),
        options=MEANINGS,
        on_interrupt="adopt",
        problem=None if hasattr(os, "fork") else "Commands run on Linux and macOS only.",
    )
