"""The always-allow rules as a front end makes, lists and revokes them.

What only one call needs is imported there, as in `hub`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from taskhub_tui.domain.errors import AlreadyDecided, NotLegal
from taskhub_tui.domain.model import Action, Decision
from taskhub_tui.tuning import Tuning

if TYPE_CHECKING:
    from taskhub_tui.domain.model import TaskView
    from taskhub_tui.domain.rules import Rule, Scope
    from taskhub_tui.storage.writer import Tx


class Ruling(Tuning):
    """The part of a hub that has the always-allow rules."""

    _actor: str
    _channel: str

    async def rules(self, *, revoked: bool = False) -> list[Rule]:
        """Return the rules that hold, the newest first; with `revoked` also those that did."""
        from taskhub_tui.storage import rules

        return await self._store.read(lambda reader: rules.found(reader, revoked=revoked))

    async def allow(self, scope: Scope, value: str) -> Rule:
        """Make a rule for what is asked from now on; one that holds already is returned.

        Raises:
            BadInput: there can be no such rule, or there is nothing by that name.
        """
        from taskhub_tui.domain.rules import Scope
        from taskhub_tui.storage import rules

        if scope is Scope.TASK:
            value = await self.find(value)
        now = self.clock()
        return await self._store.write(
            lambda tx: rules.add(tx, scope, value, by=self._actor, channel=self._channel, now=now)
        )

    async def revoke(self, rule_id: str) -> Rule:
        """End a rule by the first letters of its ID; what it has decided stands.

        Raises:
            BadInput: there is no such rule.
        """
        from taskhub_tui.storage import rules

        now = self.clock()
        return await self._store.write(
            lambda tx: rules.revoke(tx, rule_id, by=self._actor, now=now)
        )

    async def always(
        self,
        task_id: str,
        scope: Scope,
        *,
        pattern: str | None = None,
        text: str | None = None,
        blocker_id: str | None = None,
        version: int | None = None,
    ) -> tuple[TaskView, Rule]:
        """Approve the open question of a task, and from now on all that a rule made of it allows.

        Both is done, or neither.

        Args:
            pattern: for commands, a wider one than the command that is proposed.
            blocker_id, version: the question that the person saw.

        Raises:
            NotLegal, AlreadyDecided, BadInput: as `decide`; or no rule can allow this.
        """
        from taskhub_tui import deciding
        from taskhub_tui.domain import rules as kinds
        from taskhub_tui.domain.errors import BadInput
        from taskhub_tui.storage import queries, rules

        await self._check_before()
        given = Decision(Action.APPROVE, by=self._actor, channel=self._channel, text=text)

        def write(tx: Tx) -> Rule:
            task = queries.task_by_id(tx, task_id)
            blocker = queries.open_blocker(tx, task)
            if blocker is None:
                raise NotLegal(f"Task {task_id} asks nothing now")
            if blocker_id is not None and blocker.id != blocker_id:
                raise AlreadyDecided("This question is not open any more")
            value = kinds.proposed(task, blocker, scope)
            if pattern is not None:
                value = pattern
            now = self.clock()
            made = rules.add(tx, scope, value, by=self._actor, channel=self._channel, now=now)
            if kinds.allowing([made], task, blocker) is None:
                raise BadInput(
                    f"The rule would not allow this question: {kinds.words(scope, made.value)}"
                )
            deciding.answer(tx, task, given, now, blocker_id=blocker.id, version=version)
            return made

        made = await self._store.write(write)
        await self._wake()
        return await self.status(task_id), made
