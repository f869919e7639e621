"""`inbox`, `audit` and `rules`: what waits, what was decided, and what is always allowed."""

import asyncio
import json
from pathlib import Path

import pytest
from support import ScriptedAgent, house, until

from taskhub_tui import config, deciding
from taskhub_tui.agents.port import Blocker, Result, Stage, StageContext
from taskhub_tui.config import Settings
from taskhub_tui.domain.model import Action, BlockerKind, Status
from taskhub_tui.domain.rules import Scope
from taskhub_tui.notifications.answers import Answers
from taskhub_tui.notifications.granting import Ask

SETTINGS = Settings(owner="ann", notifications={"desktop": {"enabled": False}})


@pytest.fixture
def asked(still: Path) -> tuple[str, str, str]:
    """A hub in which a rule, a phone and a person have decided, and one task waits."""
    return asyncio.run(_fill())


async def _fill() -> tuple[str, str, str]:
    async def work(stage: Stage, ctx: StageContext) -> Result:
        risk = "high" if "deploy" in stage.prompt else "low"
        command = {"command": "make " + stage.prompt, "why": "the first line\nthe second"}
        kind = BlockerKind.APPROVAL
        await ctx.ask(Blocker("may-i", kind, f"May I {stage.prompt}?", detail=command, risk=risk))
        return Result("done")

    async with house(config.paths(), SETTINGS, ScriptedAgent("actor", work)) as h, h.worker():
        by_phone = await h.submit("clean")
        await until(h.hub, by_phone.id, Status.BLOCKED)
        note = next(n for n in await h.hub.notifications() if n.blocker_id)
        answers = Answers(h.hub._store, deciding.answer, owner="ann")
        given = await answers.grant(
            Ask(note.id, "phone", "ann's phone", "May I clean? (on the phone)")
        )
        await answers.consume("nothing", "approve", peer="evil", channel="phone")
        for _ in range(2):
            await answers.consume(
                given.tokens["approve"], "approve", peer="ntfy", channel="phone", text="go on"
            )
        await until(h.hub, by_phone.id, Status.COMPLETED)
        by_rule = await h.submit("all")
        await until(h.hub, by_rule.id, Status.BLOCKED)
        await h.hub.always(by_rule.id, Scope.COMMAND, text="fine")
        await until(h.hub, by_rule.id, Status.COMPLETED)
        again = await h.submit("all")
        await until(h.hub, again.id, Status.COMPLETED)
        waits = await h.submit("deploy")
        await until(h.hub, waits.id, Status.BLOCKED)
        return by_phone.id, again.id, waits.id


def test_the_audit_says_who_when_by_which_channel_what_was_shown_and_which_rule(
    asked: tuple[str, str, str], cli
) -> None:
    by_phone, by_rule, _ = asked
    found = json.loads(cli("audit", "--json").out)
    assert [(one["what"], one["by"], one["channel"], one["refused"]) for one in found] == [
        ("decided", "ann", "rule", None),
        ("decided", "ann", "app", None),
        ("rule made", "ann", "app", None),
        ("refused", "ann's phone", "phone", "spent"),
        ("decided", "ann", "phone", None),
        ("refused", None, "phone", "unknown"),
    ]
    phone = next(one for one in found if one["channel"] == "phone" and one["what"] == "decided")
    assert phone["shown"] == "May I clean? (on the phone)"
    assert (phone["from"], phone["text"], phone["question"]) == ("ntfy", "go on", "May I clean?")
    app = next(one for one in found if one["channel"] == "app" and one["what"] == "decided")
    assert app["shown"] == "May I all?\ncommand: make all\nwhy: the first line\nthe second"
    (one,) = json.loads(cli("audit", by_rule, "--json").out)
    (rule,) = json.loads(cli("rules", "--json").out)
    assert one["rule"] == rule["id"]
    assert one["rule_words"] == "Always allow the command `make all`"
    told = cli("audit", by_rule[:5]).out
    assert f"rule: {rule['id']}: Always allow the command `make all`" in told
    assert "the second" in told
    told = cli("audit", by_phone).out
    assert told.index("APPROVE") < told.index("not taken: spent")
    table = cli("audit").out
    assert "not taken: unknown" in table
    assert len(json.loads(cli("audit", "-n", "2", "--json").out)) == 2


def test_a_question_asked_anew_is_shown_as_it_was_when_it_was_answered(
    asked: tuple[str, str, str], cli
) -> None:
    by_rule = asked[1]

    async def ask_anew() -> None:
        async with house(config.paths(), SETTINGS) as h:
            await h.hub._store.write(
                lambda tx: tx.execute(
                    "UPDATE blocker SET version = 2, question = 'May I leave?', seal = NULL"
                )
            )

    asyncio.run(ask_anew())
    (one,) = json.loads(cli("audit", by_rule, "--json").out)
    assert one["question"] == "May I all?"
    assert one["shown"].startswith("May I all?\ncommand: make all")


def test_the_inbox_has_what_waits(asked: tuple[str, str, str], cli) -> None:
    (one,) = json.loads(cli("inbox", "--json").out)
    assert (one["task"], one["need"], one["risk"]) == (asked[2], "approval", "high")
    assert one["blocker"]["question"] == "May I deploy?"
    said = cli("inbox")
    assert "approval, high risk" in said.out
    assert "May I deploy? $ make deploy" in said.out
    assert cli("deny", asked[2], "--text", "no").code == 0
    assert cli("inbox").err.startswith("Nothing waits")


def test_rules_are_made_listed_and_revoked(still: Path, cli) -> None:
    assert "--always SCOPE" in cli("rules").err
    assert cli("rules", "--allow", "agent=coder").code == 0
    (one,) = json.loads(cli("rules", "--allow", "folder=.", "--json").out)
    assert one["value"] == str(Path.cwd())
    assert "Always allow what the agent `coder` asks" in cli("rules").out
    assert cli("rules", "--revoke", one["id"]).code == 0
    assert [r["scope"] for r in json.loads(cli("rules", "--json").out)] == ["agent"]
    assert "revoked by" in cli("rules", "--all").out
    said = [found["what"] for found in json.loads(cli("audit", "--json").out)]
    assert sorted(said) == ["rule made", "rule made", "rule revoked"]
    for wrong, word in (
        ("coder", "SCOPE=VALUE"),
        ("all=x", "SCOPE=VALUE"),
        ("folder=/", "everything"),
        ("command=*", "program"),
        ("task=zzz", "no task"),
    ):
        said = cli("rules", "--allow", wrong)
        assert said.code == 2
        assert word in said.err
    assert cli("rules", "--revoke", "zzz").code == 2


def test_an_approval_makes_a_rule_or_says_why_not(asked: tuple[str, str, str], cli) -> None:
    said = cli("approve", asked[2], "--always", "task")
    assert said.code == 2
    assert "high risk" in said.err
    assert cli("approve", asked[2], "--pattern", "make *").code == 2
    assert cli("approve", asked[0], "--always", "agent").code == 3
    assert len(json.loads(cli("rules", "--json").out)) == 1
    assert json.loads(cli("show", asked[2], "--json").out)["status"] == "blocked"


def test_a_rule_is_made_with_the_answer(still: Path, cli) -> None:
    async def ask() -> str:
        async def work(stage: Stage, ctx: StageContext) -> Result:
            await ctx.ask(
                Blocker("q", BlockerKind.APPROVAL, "May I?", detail={"command": "git status"})
            )
            return Result("done")

        async with house(config.paths(), SETTINGS, ScriptedAgent("actor", work)) as h:
            async with h.worker():
                task = await h.submit()
                await until(h.hub, task.id, Status.BLOCKED)
            return task.id

    task_id = asyncio.run(ask())
    said = cli("approve", task_id, "--always", "command", "--pattern", "git status *")
    assert said.code == 0, said.err
    assert "Always allow the command `git status *`. `taskhub rules --revoke " in said.err
    assert json.loads(cli("show", task_id, "--json").out)["status"] == "pending"
    assert Action.APPROVE.name in cli("audit", task_id).out
