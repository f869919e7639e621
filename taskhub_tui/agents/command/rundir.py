"""The folder in which one run of a command is kept: the only link between runner and agent."""

import json
import shlex
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from taskhub_tui.agents.command import ask, runner
from taskhub_tui.agents.command.options import Job
from taskhub_tui.agents.command.process import alive, members, this_boot
from taskhub_tui.agents.port import AgentError, Output

Standing = Literal["unclaimed", "starting", "running", "orphaned", "ended", "lost"]


class RunDir:
    """One run on disk. Everything but `launch` and `prepare` is quick enough for an event loop."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.out = path / "out"
        self.control = path / "control"
        self._known: dict[str, Any] | None = None
        """The identity of the command, should the folder be deleted under it."""

    def prepare(self, job: Job, inputs: Sequence[Output]) -> None:
        """Write what the runner and the command need; harmless to repeat until it has begun."""
        self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.path.mkdir(mode=0o700, exist_ok=True)
        for name in ("answers", "bin"):
            (self.path / name).mkdir(mode=0o700, exist_ok=True)
        for file in (self.out, self.control, self.path / "runner.log"):
            file.touch(0o600)
        self._write(
            "job.json",
            {
                "argv": job.argv,
                "cwd": str(job.cwd),
                "pty": job.pty,
                "stdin": job.stdin,
                "limit": job.limit,
                "umask": job.umask,
            },
        )
        self._write(
            "inputs.json",
            [
                {
                    "stage": output.stage,
                    "agent": output.agent,
                    "text": output.text,
                    "data": dict(output.data),
                    "artifacts": [
                        {"name": a.name, "path": str(a.path), "media_type": a.media_type}
                        for a in output.artifacts
                    ],
                }
                for output in inputs
            ],
        )
        python = shlex.join([sys.executable, "-I", "-S", str(Path(ask.__file__).resolve())])
        control = shlex.quote(str(self.control))
        self._script("ask", f'exec {python} "$@"\n')
        self._script(
            "progress", f"printf '%s\\n' \"$*\" | sed 's/^/::taskhub progress /;q' >> {control}\n"
        )

    def launch(self, env: Mapping[str, str]) -> None:
        """Start a runner and wait until it has begun the command, or given up. Blocks.

        Safe to repeat: of all runners of one folder, one starts the command.

        Raises:
            AgentError: no process could be started.
        """
        argv = [sys.executable, "-I", "-S", str(Path(runner.__file__).resolve()), str(self.path)]
        with (self.path / "runner.log").open("ab") as errors:
            try:
                subprocess.run(
                    argv,
                    env=dict(env),
                    cwd="/",
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.DEVNULL,
                    stderr=errors,
                    start_new_session=True,
                    timeout=30,
                    check=False,
                )
            except subprocess.TimeoutExpired:
                return  # a folder that does not answer; the runner itself lives on
            except OSError as error:
                raise AgentError(
                    f"The command could not be started: {error.strerror}.", retryable=True
                ) from None

    def standing(self) -> Standing:
        """Return how the run stands, from what is on disk and which processes live."""
        found = self._standing()
        # The end may have come between two looks.
        return "ended" if found == "lost" and self.ended() else found

    def _standing(self) -> Standing:
        if self.ended():
            return "ended"
        command = self.command()
        if command is None:
            claimed = self._read("claimed")
            if claimed is None and not (self.path / "claimed").exists():
                return "unclaimed"
            return "starting" if alive(claimed) else "lost"
        if alive(command.get("runner")):
            return "running"
        return "orphaned" if alive(command) else "lost"

    def ended(self) -> bool:
        """Tell whether the exit status is on disk, and with it all output."""
        return (self.path / "rc").exists()

    def report(self) -> dict[str, Any]:
        """Return what the runner wrote at the end; empty when it cannot be read."""
        return self._read("rc") or {}

    def command(self) -> dict[str, Any] | None:
        """Return the identity of the command; None before it has one."""
        self._known = self._read("pid.json") or self._known
        return self._known

    def session(self) -> int | None:
        """Return the session of the command while any process of it may live; else None."""
        command = self.command()
        if command is None or command.get("boot") != this_boot():
            return None
        pid: int = command["pid"]
        if not alive(command) and runner.start_time(pid) is not None:
            return None  # somebody else's process has the number now
        return pid if members(pid) else None

    def forbid(self) -> bool:
        """Take the claim, so that no runner can start the command; False when one has it."""
        if not self.path.exists():
            return self.command() is None
        return runner.claim(str(self.path), {"pid": 0, "start": None})

    def deleted(self) -> bool:
        """Tell whether what `prepare` made is gone."""
        return not (self.path / "job.json").exists()

    def rebooted(self) -> bool:
        """Tell whether the machine was started anew since the command began."""
        who = self.command() or self._read("claimed") or {}
        return bool(who.get("boot")) and who.get("boot") != this_boot()

    def trouble(self) -> str:
        """Return the last line the runner complained with, or nothing."""
        try:
            lines = (self.path / "runner.log").read_text("utf-8", "replace").split("\n")
        except OSError:
            return ""
        return next((line for line in reversed(lines) if line.strip()), "")

    def answer(self, key: str, answer: Mapping[str, Any], *, stdin: bool) -> None:
        """Give the command its answer, once: as a file and, if wished, on its standard input."""
        self._write(f"answers/{key}.json", dict(answer))
        if stdin:
            line = json.dumps({"key": key, "text": answer["answer"].replace("\n", " ")})
            with (self.path / "in").open("a+") as file:
                file.seek(0)
                if line + "\n" not in file:
                    file.write(line + "\n")

    def tail(self, size: int = 1 << 16) -> str:
        """Return the last `size` bytes of the output as text."""
        with self.out.open("rb") as file:
            file.seek(max(file.seek(0, 2) - size, 0))
            return file.read().decode("utf-8", "replace")

    def _read(self, name: str) -> dict[str, Any] | None:
        try:
            found = json.loads((self.path / name).read_bytes())
        except (OSError, ValueError):
            return None
        return found if isinstance(found, dict) else None

    def _write(self, name: str, value: object) -> None:
        path = self.path / name
        runner.write_json(str(path), value)
        path.chmod(0o600)

    def _script(self, name: str, body: str) -> None:
        path = self.path / "bin" / name
        path.write_text(f"#!/bin/sh\n{body}")
        path.chmod(0o700)
