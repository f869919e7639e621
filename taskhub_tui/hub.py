"""The client façade: what a front end may do. Front ends import this, `domain` and little else.

A hub writes rows and rings the worker; it runs no task itself. What only one call needs is imported
there: a command makes one call, and waits for every import.
"""

from __future__ import annotations

import contextlib
import os
import time
from functools import cached_property
from typing import TYPE_CHECKING, Any

from taskhub_tui import config
from taskhub_tui.domain.errors import Damaged, ReadOnly, TaskHubError, UnknownTask
from taskhub_tui.domain.model import (
    Action,
    AgentCard,
    Blocker,
    Decision,
    NewTask,
    NoticeKind,
    Options,
    StageSpec,
    Task,
    TaskView,
)
from taskhub_tui.doorbell import Doorbell, folder
from taskhub_tui.ruling import Ruling
from taskhub_tui.storage import queries
from taskhub_tui.storage.store import Store

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path
    from types import TracebackType

    from taskhub_tui.agents.registry import Registry
    from taskhub_tui.config import Paths, Settings
    from taskhub_tui.domain.change import Change
    from taskhub_tui.domain.delegation import Ranked
    from taskhub_tui.domain.listing import SavedView
    from taskhub_tui.domain.playbook import Playbook
    from taskhub_tui.domain.views import Check, Posted
    from taskhub_tui.domain.waiting import Waiting
    from taskhub_tui.planning import Planner
    from taskhub_tui.planning import PlaybookFile as PlaybookFile
    from taskhub_tui.posting import Posting
    from taskhub_tui.storage.writer import Tx


class Hub(Ruling):
    """One front end's connection to the hub; open it with `Hub.open`, and close it."""

    def __init__(
        self,
        paths: Paths,
        settings: Settings,
        store: Store,
        *,
        channel: str,
        actor: str,
        clock: Callable[[], float],
        autostart: bool,
        registry: Registry | None,
        read_only: bool = False,
    ) -> None:
        super().__init__(paths, settings, store, clock, autostart=autostart)
        self.read_only = read_only
        """True: nothing can be handed over, decided or changed with this hub."""
        if read_only:
            store.refuse(ReadOnly)
        self._channel = channel
        self._actor = actor
        self._registry = registry
        self._id = f"{os.getpid()}-{os.urandom(3).hex()}"
        self._bell = Doorbell(paths.home)
        self._listening = False
        self._posting: Posting | None = None
        store.after_commit = lambda tx: self._bell.ring()

    @classmethod
    async def open(
        cls,
        *,
        paths: Paths | None = None,
        settings: Settings | None = None,
        channel: str = "app",
        actor: str | None = None,
        clock: Callable[[], float] = time.time,
        autostart: bool = True,
        registry: Registry | None = None,
        read_only: bool = False,
    ) -> Hub:
        """Open the hub at `paths`, by default the user's own.

        Args:
            channel: name of this front end, recorded with its decisions.
            actor: who decides here; by default the owner in the settings.
            autostart: start a worker where one is needed and none is alive.
            registry: the agents, by default the installed ones.
            read_only: only look: whatever would write is refused with ReadOnly, no worker is
                started, and nobody is told that the user is here.

        Raises:
            StoreError: the database cannot be used.
            BadInput: the settings file has a mistake.
        """
        paths = paths or config.paths()
        settings = settings or config.settings(paths)
        store = await Store.open(paths.database)
        return cls(
            paths,
            settings,
            store,
            channel=channel,
            actor=actor or settings.owner,
            clock=clock,
            autostart=autostart,
            registry=registry,
            read_only=read_only,
        )

    @cached_property
    def _planner(self) -> Planner:
        from taskhub_tui.agents.registry import Registry
        from taskhub_tui.planning import Planner

        return Planner(self._registry or Registry(), self.paths)

    async def close(self) -> None:
        """Close the database; workers and tasks go on."""
        if self._listening:
            self._bell.close()
            from taskhub_tui.storage import presence

            with contextlib.suppress(TaskHubError):
                await self._store.write(lambda tx: presence.forget(tx, self._id))
        await self._store.close()

    async def __aenter__(self) -> Hub:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.close()

    # Agents and playbooks

    def agents(self) -> Sequence[AgentCard]:
        """Return what each installed agent declares, by name."""
        return self._planner.agents()

    def suggest(self, request: str, options: Options) -> list[Ranked]:
        """Rank the agents for a request, best first, each with its reason."""
        return self._planner.suggest(request, options)

    def playbooks(self) -> Sequence[PlaybookFile]:
        """Return the playbooks that ship, and the user's own beside the settings file."""
        return self._planner.playbooks()

    def read_playbook(self, path: Path) -> Playbook:
        """Read one playbook.

        Raises:
            BadPlaybook: the file cannot be read, is no TOML, or says what it must not.
        """
        return self._planner.read_playbook(path)

    def plan(self, new: NewTask) -> tuple[StageSpec, ...]:
        """Return the stages that `submit` would make.

        Raises:
            BadInput: no agent fits, or one that is named does not exist or cannot be used.
        """
        return self._planner.plan(new)[1]

    # Handing over and deciding

    async def submit(self, new: NewTask, *, secret_env: Mapping[str, str] | None = None) -> Task:
        """Hand over a task; it is on disk when this returns.

        Args:
            secret_env: variables for its commands whose values stay out of the database; they are
                kept in a private file of the task, which names them in its options.

        Raises:
            BadInput: something in `new` cannot be used, or no worker can start.
        """
        from taskhub_tui.domain.change import Notice
        from taskhub_tui.storage import submissions

        await self._check_before()
        task, stages = self._planner.make(new, self._actor, self.clock())
        if secret_env:
            from taskhub_tui.domain.variables import given

            task, stages = given(task, stages, secret_env, self._planner.options())
        after = [await self.find(prefix) for prefix in new.after]
        folder = self.paths.task(task.id)
        config.make_private(folder)
        try:
            if secret_env:
                from taskhub_tui import variables

                variables.keep(folder, secret_env)
            whom = self._planner.usable(task.agent).title
            count = f"{len(stages)} stages" if len(stages) > 1 else "1 stage"
            notice = Notice(NoticeKind.ACKNOWLEDGED, task.title, f"Handed to {whom}: {count}")
            task = await self._store.write(
                lambda tx: submissions.insert(tx, task, stages, after, notice)
            )
        except Exception:
            # Not when we are cancelled: the task is written all the same.
            import shutil

            shutil.rmtree(folder, ignore_errors=True)
            raise
        await self._wake()
        return task

    async def status(self, task_id: str) -> TaskView:
        """Return a task with its stages, open question, artifacts and legal decisions.

        When its question is damaged beyond reading, the task fails, and can be decided about.
        """
        try:
            return await super().status(task_id)
        except Damaged as error:
            await self._condemn(task_id, error)
            return await super().status(task_id)

    async def blockers(self) -> list[tuple[Blocker, Task]]:
        """Return the open questions, the most urgent first; tasks of unreadable ones fail."""
        found, damaged = await self._store.read(queries.blockers)
        for task, error in damaged:
            await self._condemn(task.id, error)
        return found

    async def waiting(self) -> list[Waiting]:
        """Return what waits for a person, the most urgent first; tasks of unreadable ones fail."""
        from taskhub_tui.storage import waits

        found, damaged = await self._store.read(waits.waiting)
        for task, error in damaged:
            await self._condemn(task.id, error)
        return await super().waiting() if damaged else found

    async def decide(
        self,
        task_id: str,
        action: Action,
        *,
        text: str | None = None,
        choice: str | None = None,
        data: Mapping[str, Any] | None = None,
        agent: str | None = None,
        blocker_id: str | None = None,
        version: int | None = None,
        secret_env: Mapping[str, str] | None = None,
    ) -> TaskView:
        """Take a decision; it is taken at most once, and on disk when this returns.

        Args:
            secret_env: variables for its commands, new or anew, as for `submit`.
            blocker_id, version: the question that the person saw; a decision on one that was
                answered or has changed since is refused.

        Raises:
            NotLegal: the decision does not fit the state of the task.
            AlreadyDecided: somebody was faster, or the question has changed.
            BadInput: the decision lacks something, or names what does not exist; or no worker can
                start.
        """
        await self._check_before()
        decision = Decision(
            action,
            by=self._actor,
            channel=self._channel,
            text=text,
            choice=choice,
            data=dict(data or {}),
            agent=agent,
            variables=tuple(sorted(secret_env or ())),
        )
        take = self._taking(task_id, decision, blocker_id, version, secret_env=secret_env)
        try:
            await self._store.write(take)
        except Damaged as error:
            await self._condemn(task_id, error)
            raise
        await self._wake()
        return await self.status(task_id)

    async def try_out(
        self,
        task_id: str,
        decision: Decision,
        *,
        blocker_id: str | None = None,
        version: int | None = None,
    ) -> None:
        """Find out whether a decision would be taken, without taking it; raises as `decide`.

        A task that nobody can decide about, since its question is damaged, fails as with `decide`.
        """
        decision = _replaced(decision, by=self._actor, channel=self._channel)
        take = self._taking(task_id, decision, blocker_id, version, write=False)
        try:
            await self._store.read(take)
        except Damaged as error:
            await self._condemn(task_id, error)
            raise

    def _taking(
        self,
        task_id: str,
        decision: Decision,
        blocker_id: str | None,
        version: int | None,
        *,
        write: bool = True,
        secret_env: Mapping[str, str] | None = None,
    ) -> Callable[[Any], None]:
        """Return what takes a decision within a transaction."""
        from taskhub_tui import deciding

        decision = deciding.cleaned(decision)
        action, agent = decision.action, decision.agent
        plan: Sequence[StageSpec] = ()
        if action is Action.REASSIGN and agent:
            plan = self._planner.own_stages(agent)
        changes_options = action is Action.MODIFY and "options" in decision.data
        known = self._planner.options() if changes_options or decision.variables else None

        def take(tx: Any) -> None:
            task = queries.task_by_id(tx, task_id)
            if action is Action.RETRY:
                (seen,) = self._seen(tx, [task])
                task = _replaced(task, waiting_on=seen.waiting_on)
            deciding.take(
                tx,
                task,
                decision,
                self.clock(),
                plan=plan,
                known=known,
                blocker_id=blocker_id,
                version=version,
                write=write,
            )
            if secret_env:
                self._keep(task_id, secret_env)

        return take

    def _keep(self, task_id: str, secret_env: Mapping[str, str]) -> None:
        """Keep variables for a task; within the transaction, so that none of two is lost."""
        from taskhub_tui import variables

        config.make_private(self.paths.task(task_id))
        variables.keep(self.paths.task(task_id), secret_env)

    async def _condemn(self, task_id: str, damage: Damaged) -> None:
        """Fail a task that nobody can decide about: RETRY and CANCEL are possible then."""
        if self.read_only:
            return

        from taskhub_tui.storage.damage import condemn

        def fail(tx: Tx) -> None:
            condemn(tx, queries.number(tx, task_id), damage, self.clock())

        await self._store.write(fail)

    async def pause(self, task_id: str) -> TaskView:
        """Hold a task: at once if it waits for its turn, after its current stage if it runs."""
        from taskhub_tui.domain import hold

        return await self._change(task_id, hold.pause)

    async def resume(
        self, task_id: str, *, secret_env: Mapping[str, str] | None = None
    ) -> TaskView:
        """Let a paused task go on.

        Args:
            secret_env: variables for its commands, new or anew, as for `submit`.
        """
        from taskhub_tui.domain import hold

        return await self._change(task_id, hold.resume, secret_env)

    async def _change(
        self,
        task_id: str,
        make: Callable[[Task, float], Change],
        secret_env: Mapping[str, str] | None = None,
    ) -> TaskView:
        from taskhub_tui.storage import changes

        known = self._planner.options() if secret_env else {}

        def write(tx: Tx) -> None:
            task = queries.task_by_id(tx, task_id)
            change = make(task, self.clock())
            if secret_env:
                from taskhub_tui.domain.variables import give

                change = give(change, queries.stages_of(tx, task), secret_env, known)
            changes.write_decided(tx, change, by=self._actor, channel=self._channel)
            if secret_env:
                self._keep(task_id, secret_env)

        await self._check_before()
        try:
            await self._store.write(write)
        except Damaged as error:
            await self._condemn(task_id, error)
            raise
        await self._wake()
        return await self.status(task_id)

    # Views

    async def save_view(self, view: SavedView) -> SavedView:
        """Keep a view for all front ends, and return it as it is kept; its name is its own.

        Raises:
            BadInput: it has no name, the name of a built-in one, or a filter that is none.
        """
        from taskhub_tui.domain.listing import to_save
        from taskhub_tui.storage import listings

        kept = to_save(view)
        await self._store.write(lambda tx: listings.save_view(tx, kept, self.clock()))
        return kept

    async def delete_view(self, name: str) -> None:
        """Forget a saved view; one that does not exist is forgotten already."""
        from taskhub_tui.storage import listings

        await self._store.write(lambda tx: listings.delete_view(tx, name))

    async def _check_before(self) -> None:
        if self.read_only:
            raise ReadOnly
        await super()._check_before()

    def _start(self) -> None:
        if not self.read_only:
            super()._start()

    # Watching

    async def changed(self, timeout: float) -> bool:
        """Wait until another process has committed something, or for `timeout` seconds."""
        self._listen()
        return await self._bell.wait(timeout)

    @property
    def touched(self) -> Path:
        """The one folder in which also a hub that only looks makes a file: what it hears with."""
        return folder(self.paths.home)

    def _listen(self) -> None:
        if not self._listening:
            self._listening = True
            self._bell.listen()

    async def mark_read(self, ids: Sequence[int]) -> None:
        """Note that the user has seen these notifications."""
        from taskhub_tui.storage import notices

        now = self.clock()
        if ids and not self.read_only:
            await self._store.write(lambda tx: notices.mark_read(tx, ids, now))

    # Presence, and what may be wrong

    async def report_presence(self, *, focused: bool | None, last_input: float | None) -> None:
        """Say whether the user looks at this front end, and when a key was last pressed."""
        from taskhub_tui.storage import presence

        self._listen()
        if self.read_only:
            return
        now = self.clock()
        await self._store.write(lambda tx: presence.report(tx, self._id, focused, last_input, now))

    async def posted(self, *, focused: bool | None, last_input: float | None) -> Posted | None:
        """Return what the terminal of this front end is to show now; it counts as told then.

        Args:
            focused, last_input: as `report_presence` has them.

        Raises:
            StoreError: the database cannot be used.
        """
        from taskhub_tui.storage import posts

        now = self.clock()
        if self.read_only or not await self._store.read(lambda reader: posts.due(reader, now)):
            return None
        found = await self._posts()
        return await found.next(focused=focused, last_input=last_input)

    async def posts_answered(self) -> list[str]:
        """Return the keys of what `posted` gave and was answered since, each once."""
        return [] if self._posting is None else await self._posting.answered()

    async def _posts(self) -> Posting:
        if self._posting is None:
            import asyncio

            def make() -> Posting:
                # Takes long to import, and most of the time nobody is away.
                from taskhub_tui.posting import Posting

                return Posting(self._store, self.paths, self.settings, self._id, self.clock)

            self._posting = await asyncio.to_thread(make)
        return self._posting

    async def checks(self) -> list[Check]:
        """Look for what may be wrong with this installation; one that only looks does not."""
        if self.read_only:
            from taskhub_tui.domain import views

            # To look, the database is opened anew, and the desktop is asked.
            words = "This view only shows, and does not look for that"
            return [views.Check("view", "ok", words, "`taskhub doctor` in a terminal does")]
        from taskhub_tui.diagnosis import checks

        return await checks(self.paths, self.settings)


def _replaced(thing: Any, **values: Any) -> Any:
    from taskhub_tui.domain.evolve import replace

    return replace(thing, **values)


__all__ = ["Hub", "UnknownTask"]
