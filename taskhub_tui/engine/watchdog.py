"""Stages that give no sign of life: shown, then asked about, and never stopped by this.

Looked at by the clock the engine has anyway; there is no timer per task, and nothing is written
while agents say something now and then. Silence is measured by the steady clock of the event loop:
a machine that slept, or a time of day that was set, makes nobody silent.
"""

import asyncio
import logging
import math
import secrets
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from taskhub_tui.domain import ids
from taskhub_tui.domain.errors import Damaged, LeaseLost, TaskHubError
from taskhub_tui.domain.evolve import replace
from taskhub_tui.domain.stall import Patience
from taskhub_tui.engine.context import Context
from taskhub_tui.storage import stalls
from taskhub_tui.storage.damage import condemn
from taskhub_tui.storage.store import Store
from taskhub_tui.storage.writer import Tx

if TYPE_CHECKING:
    from taskhub_tui.engine.held import Held

log = logging.getLogger("taskhub.engine")

OFF = 5.0
"""Seconds by which the time shown may be wrong, before it is written anew."""


@dataclass(slots=True)
class _Silent:
    context: Context
    since: float
    """When it was last heard of, by the steady clock."""
    ask_at: float = -math.inf
    """When to ask, or to see whether to ask again, by the steady clock."""


class Watchdog:
    """Watches the stages that one worker runs."""

    def __init__(self, store: Store, patience: Patience) -> None:
        self._store = store
        self._patience = patience
        self._silent: dict[int, _Silent] = {}

    async def look(self, tasks: Iterable["Held"], now: float) -> None:
        """Write what is new about the silence of these tasks' agents; `now` is the time of day."""
        steady = asyncio.get_running_loop().time()
        writes: list[tuple[Held, partial[None]]] = []
        new, heard, set_ = [], [], []
        for held in tasks:
            context = held.context
            if (
                context is None
                or context.task is None
                or context.stop != "no"
                or held.task.stage >= len(held.stages)
            ):
                continue
            stage = held.stages[held.task.stage]
            known = self._silent.get(held.task.n)
            if known is not None and known.context is not context:
                del self._silent[held.task.n]
                known = None
            if known is not None and context.heard > known.since:
                # The task stays silent until that is on disk: a step written before it, or instead
                # of it, takes it back as well.
                heard.append((held, known))
                task = replace(held.task, silent_since=None)
                write = partial(stalls.alive, task=task, stage=stage, now=now)
                writes.append((held, write))
                continue
            patience = self._patience if stage.stall is None else self._patience.of(stage)
            silent = steady - context.heard
            asks = patience.asks(silent, stage, context.worked)
            shown = held.task.silent_since
            if known is not None and shown is not None and abs(now - silent - shown) > OFF:
                set_.append((held, shown))
                held.task = replace(held.task, silent_since=now - silent)
                writes.append(
                    (held, partial(stalls.again, task=held.task, stage=stage, since=now - silent))
                )
            if known is None and (asks or patience.shows(silent)):
                known = self._silent[held.task.n] = _Silent(context, context.heard)
                new.append((held, known))
                # Before it is written: a step of the task that is written after it takes it back.
                held.task = replace(held.task, silent_since=now - silent)
                show = partial(
                    stalls.show, task=held.task, stage=stage, since=now - silent, now=now
                )
                writes.append((held, show))
            if known is not None and asks and steady >= known.ask_at:
                pause = patience.ask_after
                known.ask_at = steady + pause
                ask = partial(
                    stalls.ask,
                    task=held.task,
                    stage=stage,
                    since=now - silent,
                    now=now,
                    pause=pause,
                )
                writes.append((held, partial(_ask, ask=ask, known=known, steady=steady)))
        if writes:
            try:
                damaged = await self._store.write(partial(_each, writes=writes, now=now))
            except TaskHubError:
                # It is not on disk, so it is to be said again.
                for held, known in new:
                    self._drop(held, known)
                for held, shown in set_:
                    if held.task.silent_since is not None:
                        held.task = replace(held.task, silent_since=shown)
                for known in self._silent.values():
                    known.ask_at = -math.inf
                raise
            for held, damage in damaged:
                log.error("%s", damage)
                held.stop("cancel")  # It has failed; nobody else knows of its agent.
                held.note_lost()
        for held, known in heard:
            self._drop(held, known)
        if len(self._silent) > 1000:
            self._forget(tasks)

    def _drop(self, held: "Held", known: _Silent) -> None:
        """Know nothing of this silence any more."""
        if self._silent.get(held.task.n) is known:
            del self._silent[held.task.n]
        if held.context is known.context:
            held.task = replace(held.task, silent_since=None)

    def _forget(self, tasks: Iterable["Held"]) -> None:
        held = {one.task.n for one in tasks}
        self._silent = {n: known for n, known in self._silent.items() if n in held}


def _each(
    tx: Tx, writes: "list[tuple[Held, partial[None]]]", now: float
) -> "list[tuple[Held, Damaged]]":
    """Write about each task; one of which the database holds damage fails, and is returned."""
    damaged = []
    for held, write in writes:
        try:
            write(tx)
        except LeaseLost:
            continue  # It is somebody else's now; the runner finds out by itself.
        except Damaged as damage:
            condemn(tx, held.task.n, damage, now)
            damaged.append((held, damage))
    return damaged


def _ask(tx: Tx, ask: Callable[..., float], known: _Silent, steady: float) -> None:
    known.ask_at = steady + ask(tx, blocker_id=ids.new_id(secrets.randbelow))
