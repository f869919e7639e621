"""Always-allow rules from one end to the other: made, used, named, revoked."""

from typing import Any

import pytest
from support import ScriptedAgent, house, until

from taskhub_tui.agents.port import Blocker, Result, Stage, StageContext
from taskhub_tui.config import Paths, Settings
from taskhub_tui.domain.errors import AlreadyDecided, BadInput, NotLegal
from taskhub_tui.domain.model import Action, BlockerKind, Choice, StageSpec, Status
from taskhub_tui.domain.rules import Scope


def asking(**more: Any) -> ScriptedAgent:
    async def work(stage: Stage, ctx: StageContext) -> Result:
        asked = Blocker("may-i", BlockerKind.APPROVAL, "May I?", **more)
        answer = await ctx.ask(asked)
        return Result(f"{answer.action} {answer.choice}")

    return ScriptedAgent("actor", work)


async def test_what_is_always_allowed_is_approved_and_the_rule_named(
    where: Paths, settings: Settings
) -> None:
    agent = asking(detail={"command": "make all"})
    async with house(where, settings, agent) as h, h.worker():
        first = await h.submit()
        await until(h.hub, first.id, Status.BLOCKED)
        view, rule = await h.hub.always(first.id, Scope.COMMAND)
        assert (rule.scope, rule.value, rule.by) == (Scope.COMMAND, "make all", "ann")
        assert view.task.status is not Status.BLOCKED
        await until(h.hub, first.id, Status.COMPLETED)
        second = await h.submit()
        done = await until(h.hub, second.id, Status.COMPLETED)
        assert done.task.summary == "accept None"
        assert await h.kinds(second.id) == [
            "created", "started", "asked", "decided", "resumed", "checkpoint", "completed"
        ]  # fmt: skip
        (event,) = [e for e in await h.hub.events(second.id) if e.kind == "decided"]
        assert (event.by, event.channel, event.data["rule"]) == ("ann", "rule", rule.id)
        (held,) = await h.hub.rules()
        assert held.uses == 1
        told = [n for n in await h.hub.notifications() if n.task_id == second.id and n.blocker_id]
        assert all(n.withdrawn is not None for n in told), "nobody is bothered"


async def test_a_rule_that_was_revoked_allows_nothing_and_is_still_known(
    where: Paths, settings: Settings
) -> None:
    async with house(where, settings, asking()) as h, h.worker():
        rule = await h.hub.allow(Scope.AGENT, "actor")
        assert (await h.hub.allow(Scope.AGENT, "actor")).id == rule.id, "one is enough"
        task = await h.submit()
        await until(h.hub, task.id, Status.COMPLETED)
        gone = await h.hub.revoke(rule.id[:4])
        assert (gone.revoked is not None, gone.revoked_by) == (True, "ann")
        assert await h.hub.rules() == []
        assert [one.id for one in await h.hub.rules(revoked=True)] == [rule.id]
        task = await h.submit()
        await until(h.hub, task.id, Status.BLOCKED)
        assert (await h.hub.allow(Scope.AGENT, "actor")).id != rule.id
        for wrong in ("", "zzzz"):
            with pytest.raises(BadInput, match="There is no rule"):
                await h.hub.revoke(wrong)


async def test_a_choice_is_made_that_approves_and_a_damaged_rule_does_nothing(
    where: Paths, settings: Settings
) -> None:
    choices = (Choice("no", "No", "deny"), Choice("once", "Yes", "approve"))
    async with house(where, settings, asking(choices=choices)) as h, h.worker():
        rule = await h.hub.allow(Scope.FOLDER, str(where.home.parent))
        elsewhere = await h.submit(workdir="/")
        await until(h.hub, elsewhere.id, Status.BLOCKED)
        inside = await h.submit(workdir=str(where.home))
        done = await until(h.hub, inside.id, Status.COMPLETED)
        assert done.task.summary == "accept once"

        def damage(tx: Any) -> None:
            tx.execute("UPDATE rule SET value = '/usr' WHERE id = ?", (rule.id,))

        await h.hub._store.write(damage)
        assert await h.hub.rules() == []
        task = await h.submit(workdir="/usr")
        await until(h.hub, task.id, Status.BLOCKED)


async def test_what_no_rule_can_allow_is_said_and_nothing_is_decided(
    where: Paths, settings: Settings
) -> None:
    async with house(where, settings, asking(risk="high")) as h, h.worker():
        await h.hub.allow(Scope.AGENT, "actor")
        task = await h.submit()
        view = await until(h.hub, task.id, Status.BLOCKED)
        assert view.blocker is not None
        with pytest.raises(BadInput, match="high risk"):
            await h.hub.always(task.id, Scope.TASK)
        gated = await h.submit(stages=(StageSpec("run", "actor", gate=True),))
        await until(h.hub, gated.id, Status.BLOCKED)
        with pytest.raises(BadInput, match="gate"):
            await h.hub.always(gated.id, Scope.TASK)
        assert len(await h.hub.rules()) == 1
        await h.hub.decide(task.id, Action.DENY)
        await until(h.hub, task.id, Status.COMPLETED)
        with pytest.raises(NotLegal):
            await h.hub.always(task.id, Scope.TASK)


async def test_a_rule_is_made_only_of_the_question_that_was_seen(
    where: Paths, settings: Settings
) -> None:
    async with house(where, settings, asking(detail={"command": "make all"})) as h, h.worker():
        task = await h.submit()
        view = await until(h.hub, task.id, Status.BLOCKED)
        assert view.blocker is not None
        seen = view.blocker.id
        for question, version in (("other", 1), (seen, 9)):
            with pytest.raises(AlreadyDecided):
                await h.hub.always(task.id, Scope.AGENT, blocker_id=question, version=version)
        with pytest.raises(BadInput, match="would not allow this question"):
            await h.hub.always(task.id, Scope.COMMAND, pattern="git *")
        assert await h.hub.rules() == [], "both is done, or neither"
        _, rule = await h.hub.always(
            task.id, Scope.COMMAND, pattern="make *", blocker_id=seen, version=1
        )
        assert rule.value == "make *"
        await until(h.hub, task.id, Status.COMPLETED)
