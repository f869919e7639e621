"""The command agent: runs a program under the detached runner and follows what it says."""

import asyncio
import contextlib
import errno
import mimetypes
import os
import shlex
import time
import zlib
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from itertools import count, takewhile
from pathlib import Path
from typing import Any, BinaryIO

from taskhub_tui.agents.command.card import make_card
from taskhub_tui.agents.command.options import environment, grace, read_job
from taskhub_tui.agents.command.outcome import conclude
from taskhub_tui.agents.command.output import OutputParser
from taskhub_tui.agents.command.process import stop
from taskhub_tui.agents.command.rundir import RunDir
from taskhub_tui.agents.command.signals import Ask, HandOver, Log, Progress, Say, Signal, effect
from taskhub_tui.agents.port import (
    AgentError,
    Answer,
    Artifact,
    Blocker,
    BlockerKind,
    Choice,
    Result,
    Stage,
    StageContext,
    Stop,
)
from taskhub_tui.text import clean, one_line

CHUNK = 1 << 16  #: bytes read at once
PIECE = 1 << 10  #: bytes taken in at once, at the least
TURN = 0.004  #: seconds after which others have their turn; a piece takes no longer, where it can
SAVE_EVERY = 1.0  #: seconds between two saves while output flows; what a crash may log twice
LOOK_EVERY = 1.0  #: seconds between two looks at whether the processes live
_PATIENCE = tuple(min(5.0, 0.5 * n) for n in range(1, 125))
"""Seconds between two looks at whether a full disk has room again; some ten minutes."""
FASTEST, SLOWEST = 0.01, 0.25  #: seconds between two looks at the output


class CommandAgent:
    """Runs any program as a stage. The program outlives the worker, and is started once."""

    card = make_card()

    async def run(self, stage: Stage, ctx: StageContext) -> Result:
        """Run the command of `stage`, or go on following it; see `taskhub_tui.agents.port`."""
        run = _Run(stage, ctx)
        if _why(ctx) == "cancel":
            await run.end()
            return Result("The command was stopped.")
        try:
            return await run.follow()
        except asyncio.CancelledError:
            if _why(ctx) == "cancel":
                await run.end()
            elif _why(ctx) == "detach":
                await run.leave()
            raise
        finally:
            run.close()


def _why(ctx: StageContext) -> Stop:
    return ctx.stop  # asked anew each time: it changes under us


class _Tail:
    """One file that grows, and the parser that reads it."""

    def __init__(self, path: Path, state: dict[str, Any]) -> None:
        self.path = path
        self.parser = OutputParser(int(state.get("at", 0)), state)
        self.asked = int(state.get("asked", 0))
        """How many questions without a key came before; names the next."""
        self._file: BinaryIO | None = None

    def read(self) -> bytes:
        """Return the next piece; empty when there is none yet."""
        if self._file is None:
            try:
                self._file = self.path.open("rb", buffering=0)
            except FileNotFoundError:  # The folder was deleted.
                return b""
            self._file.seek(self.parser.end)
        return self._file.read(CHUNK)

    def state(self) -> dict[str, Any]:
        return {"at": self.parser.position, "asked": self.asked, **self.parser.state()}

    def close(self) -> None:
        if self._file:
            self._file.close()


def _folders(stage: Stage) -> Iterator[RunDir]:
    """Return where runs of an attempt are kept, one after the other, without end."""
    name = f"{stage.position}-{stage.attempt}"
    yield RunDir(stage.datadir / "run" / name)
    for number in count(2):
        yield RunDir(stage.datadir / "run" / f"{name}-{number}")


def _folder(stage: Stage) -> RunDir:
    """Return where a run is kept that has saved nothing yet.

    What has begun has saved where. So what has begun here is of another time: it was lost, or the
    database was put back to what it was before.
    """
    return next(one for one in _folders(stage) if one.standing() == "unclaimed")


class _Run:
    """One call of `run()`."""

    def __init__(self, stage: Stage, ctx: StageContext) -> None:
        self.stage, self.ctx = stage, ctx
        state = dict(stage.state or {})
        self.begun = bool(state.get("dir"))
        """Whether an earlier call had made all ready for the command, and may have started it."""
        self.dir = RunDir(Path(state["dir"])) if self.begun else _folder(stage)
        self.out = _Tail(self.dir.out, state.get("out") or {})
        self.control = _Tail(self.dir.control, state.get("control") or {})
        self.result: str | None = state.get("result")
        self.answers: dict[str, str] = dict(state.get("answers") or {})
        self.gone = False  # nobody is left to read an answer
        self.saved: dict[str, Any] = {}
        self.saved_at = time.monotonic()
        self.piece = PIECE

    async def follow(self) -> Result:
        """Start the command unless it was, follow it to its end, and return what came of it."""
        self.job = read_job(self.stage)
        await self._start()
        pause, looked, warned = FASTEST, time.monotonic(), False
        while True:
            ended = self.dir.ended()  # first look, then read: so nothing printed is missed
            if await self._read(self.control) | await self._read(self.out):
                pause = FASTEST
                await self._save_now_and_then()
                await asyncio.sleep(0)
                continue
            if ended:
                break
            await self._take(self.out, self.out.parser.peek())
            await self._save_now_and_then()
            if time.monotonic() - looked > LOOK_EVERY:
                looked = time.monotonic()
                standing = self.dir.standing()
                if standing == "lost":
                    raise self._lost()
                if standing == "orphaned" and not warned:
                    warned = True
                    self._warn("The keeper of the command was killed: its output ends here.")
                if self.dir.deleted() and not warned:
                    warned = True
                    self._warn("The folder of this run was deleted; the command runs on.")
            await asyncio.sleep(pause)
            pause = min(pause * 1.4, SLOWEST)
        await self._take(self.control, self.control.parser.finish())
        await self._take(self.out, self.out.parser.finish())
        await self._save()
        report = self.dir.report()
        if problem := report.get("problem"):
            self._warn(f"Not all of the output could be kept: {problem}.")
        return conclude(self.job, report, self.dir.tail(), self.result, self.answers)

    async def end(self) -> None:
        """Make sure that the command does not run, and never will."""
        await self._end()
        if not self.begun:
            # What was saved may have been lost, such as by damage; its run is here all the same.
            for found in takewhile(lambda one: one.path.exists(), _folders(self.stage)):
                if found.path != self.dir.path:
                    self.dir = found
                    await self._end()

    async def _end(self) -> None:
        if self.dir.forbid():
            return
        for _ in range(500):  # a runner that is just starting will have a command in a moment
            if self.dir.standing() != "starting":
                break
            await asyncio.sleep(0.01)
        session = self.dir.session()
        if session is not None:
            await stop(session, grace(self.stage), lambda text: self.ctx.log(text, stream="tool"))
            for _ in range(200):
                if self.dir.standing() != "running":
                    break
                await asyncio.sleep(0.01)

    async def leave(self) -> None:
        """Note how far we have read, so that the next worker logs nothing twice."""
        # Best effort: the engine may have closed the door; the last save is good as well.
        with contextlib.suppress(Exception):
            async with asyncio.timeout(1):
                await self._save()

    def close(self) -> None:
        self.out.close()
        self.control.close()

    async def _launch(self, env: Mapping[str, str]) -> str:
        """Start the command, unless it was; return what kept it from being started, or nothing."""
        await self._with_room(self._prepare)
        await self.ctx.save(dir=str(self.dir.path))
        launch = asyncio.ensure_future(asyncio.to_thread(self.dir.launch, env))
        try:
            await asyncio.shield(launch)
        except asyncio.CancelledError:
            await asyncio.wait([launch])  # else we could not tell what there is to stop
            raise
        if self.dir.standing() != "unclaimed":
            return ""
        return one_line(self.dir.trouble()) or "its keeper did not say why"

    def _prepare(self) -> None:
        words = [*self.job.argv, str(self.stage.options.get("shell"))]
        if any(str(self.stage.outdir) in word or "TASKHUB_OUTDIR" in word for word in words):
            self.stage.outdir.mkdir(parents=True, exist_ok=True)
        self.dir.prepare(self.job, self.stage.inputs)

    async def _with_room(self, write: Callable[[], None]) -> None:
        """Write files of ours; a full disk is waited for.

        Raises:
            AgentError: it stays full, or they cannot be written at all.
        """
        for pause in (*_PATIENCE, None):
            try:
                write()
                return
            except OSError as error:
                full = error.errno in (errno.ENOSPC, errno.EDQUOT)
                if not full or pause is None:
                    where = one_line(str(error.filename or self.dir.path))
                    raise AgentError(
                        f"What the command needs cannot be written: {error.strerror}: {where}",
                        retryable=full,
                    ) from error
                await self._wait_for_room(pause)

    async def _wait_for_room(self, pause: float) -> None:
        self.ctx.progress(note="The disk is full; waiting for room")
        await asyncio.sleep(pause)

    async def _start(self) -> None:
        standing = self.dir.standing()
        if standing == "unclaimed" and self.begun and self.dir.deleted():
            raise self._lost()
        if standing == "unclaimed":
            env = environment(self.stage, self.dir.path)
            for pause in (*_PATIENCE, None):
                if not (trouble := await self._launch(env)):
                    break
                full = any(os.strerror(n) in trouble for n in (errno.ENOSPC, errno.EDQUOT))
                if not full or pause is None:
                    raise AgentError(f"The command could not be started: {trouble}", retryable=True)
                await self._wait_for_room(pause)
            self.ctx.log(f"Started {self.job.shown}", stream="tool")
        elif standing == "lost":
            self.gone = True
            # What it printed before is worth reading still.
            while await self._read(self.out):
                await self._save_now_and_then()
            await self._take(self.out, self.out.parser.finish())
            raise self._lost()
        else:
            self.ctx.log("Following the command again", stream="tool")

    def _lost(self) -> AgentError:
        if self.dir.deleted():
            text = (
                "cannot be followed: the folder of its run was deleted; how it ended is not known"
            )
        elif self.dir.rebooted():
            text = "was running when the machine went down; how far it came is not known"
        elif self.dir.command() is None:
            text = "was about to start when its keeper was killed; whether it ran is not known"
        else:
            text = "is gone, and so is its keeper: how it ended is not known"
        # What to do about it depends: it may be repeated by itself.
        return AgentError(
            f"`{self.job.name}` {text}.", lost=True, detail={"runner": self.dir.trouble()}
        )

    async def _read(self, tail: _Tail) -> bool:
        """Take in what was printed since; False when that is nothing."""
        data = memoryview(tail.read())
        at, turn = 0, time.perf_counter()
        while at < len(data):
            began = time.perf_counter()
            if began - turn > TURN:
                await asyncio.sleep(0)
                turn = began = time.perf_counter()
            piece = bytes(data[at : at + self.piece])
            await self._take(tail, tail.parser.feed(piece))
            at += len(piece)
            # What a byte costs depends on what is printed; most output is cheap.
            slow = time.perf_counter() - began > TURN / 2
            self.piece = max(self.piece // 2, PIECE) if slow else min(self.piece * 2, CHUNK)
        return at > 0

    async def _take(self, tail: _Tail, signals: Iterator[Signal]) -> None:
        for signal in signals:
            match signal:
                case Log(text, level):
                    stream = "err" if level in ("error", "warning") else "out"
                    data = {"level": level} if level else None
                    self.ctx.log(clean(text), stream="err" if stream == "err" else "out", data=data)
                case Progress(fraction, note):
                    self.ctx.progress(fraction, note)
                case Say(text):
                    self.result = text
                case HandOver():
                    await self._hand_over(signal)
                case Ask():
                    await self._ask(tail, signal)

    async def _ask(self, tail: _Tail, ask: Ask) -> None:
        """Bring a question to a person and the answer back; again with the same key if re-run."""
        key = ask.key
        if key is None:
            key = f"{tail.path.name}-{tail.asked + 1}-{zlib.crc32(ask.question.encode()):08x}"
        if self.gone or self.dir.ended():
            failed = self.dir.report().get("code") not in self.job.ok_codes
            if failed or tail is self.control:
                self._warn(f"The command did not wait for an answer to: {ask.question}")
                tail.asked += ask.key is None
                return
        await self._save()  # we stand right before the question, and will find it again
        answer = await self.ctx.ask(
            Blocker(
                key=key,
                kind=BlockerKind.APPROVAL if ask.approval else BlockerKind.INPUT,
                question=ask.question,
                choices=tuple(Choice(c, c, effect(c)) for c in ask.choices),
                detail={"command": shlex.join(self.job.argv)},
                risk=ask.risk,
                timeout=ask.timeout,
                default=ask.default,
                unanswered=ask.unanswered,
            )
        )
        words = _words(answer, ask)
        refused = ask.approval and answer.choice is not None and effect(answer.choice) == "deny"
        given = {
            "answer": words,
            "ok": answer.action == "accept" and not refused,
            "action": answer.action,
            "timed_out": answer.timed_out,
            "choice": answer.choice,
            "text": answer.text,
            "data": dict(answer.data),
        }
        if self.dir.deleted():
            await self.end()  # It would wait for this answer for ever.
            raise self._lost()
        await self._with_room(partial(self.dir.answer, key, given, stdin=self.job.stdin))
        named = ask.key is not None and not ask.key.startswith("ask-")
        self.answers[key if named else one_line(ask.question, 200)] = words
        tail.asked += ask.key is None

    async def _hand_over(self, file: HandOver) -> None:
        path = (self.job.cwd / file.path).resolve()
        if not path.is_file():
            self._warn(f"The command handed over a file that is not there: {file.path}")
            return
        kind = mimetypes.guess_type(path.name)[0] or "application/octet-stream"
        await self.ctx.artifact(Artifact(file.name or path.name, path, kind, file.main))

    async def _save_now_and_then(self) -> None:
        if time.monotonic() - self.saved_at >= SAVE_EVERY:
            await self._save()

    async def _save(self) -> None:
        state = {
            "out": self.out.state(),
            "control": self.control.state(),
            "result": self.result,
            "answers": dict(self.answers),
        }
        self.saved_at = time.monotonic()
        if state != self.saved:
            await self.ctx.save(**state)
            self.saved = state

    def _warn(self, text: str) -> None:
        self.ctx.log(clean(text, 4000), stream="err", data={"level": "warning"})


def _words(answer: Answer, ask: Ask) -> str:
    """Return the answer as the one line that a command reads."""
    if answer.choice is not None:
        return answer.choice
    if answer.text:
        return answer.text
    fallback = {"accept": "yes", "decline": "no", "cancel": ""}[answer.action]
    wanted = {"accept": "approve", "decline": "deny", "cancel": ""}[answer.action]
    # A plain yes or no is said in the command's own words where it offered some.
    return next((c for c in ask.choices if effect(c) == wanted), fallback)


AGENT = CommandAgent()
