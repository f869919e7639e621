"""Stages that wait for a person: gates, reviews, questions, and what people may do meanwhile."""

import asyncio
import math

import pytest
from support import House, ScriptedAgent, eventually, house, soon, until

from taskhub_tui.agents.port import AgentError, Answer, Blocker, Result, Stage, StageContext
from taskhub_tui.config import Paths, Settings
from taskhub_tui.domain.errors import AlreadyDecided, BadInput, NotLegal
from taskhub_tui.domain.model import (
    Action,
    BlockerKind,
    Choice,
    StageSpec,
    Status,
    TaskView,
    WaitingOn,
)


def asking(
    kind: BlockerKind = BlockerKind.APPROVAL, answers: list[Answer] | None = None, **more: object
) -> ScriptedAgent:
    """An agent that asks one question, and ends with what it was told."""

    async def work(stage: Stage, ctx: StageContext) -> Result:
        question = Blocker("may-i", kind, "May I?", **more)  # type: ignore[arg-type]
        answer = await ctx.ask(question)
        if answers is not None:
            answers.append(answer)
        return Result(f"{answer.action} {answer.text}")

    return ScriptedAgent("actor", work)


async def blocked(h: House, task_id: str) -> TaskView:
    return await until(h.hub, task_id, Status.BLOCKED)


async def test_a_gate_stands_before_the_stage_and_shows_what_would_run(
    where: Paths, settings: Settings
) -> None:
    actor = ScriptedAgent("actor")
    async with house(where, settings, actor) as h, h.worker():
        command = ["rm", "-r", "\x1b[2Kold"]
        task = await h.submit(
            stages=(StageSpec("run", "actor", gate=True),), options={"argv": command}
        )
        view = await blocked(h, task.id)
        assert actor.runs == []
        assert view.blocker is not None
        assert view.blocker.detail["command"] == ["rm", "-r", "old"]
        assert view.task.waiting_on is WaitingOn.USER
        await h.hub.decide(task.id, Action.APPROVE)
        await until(h.hub, task.id, Status.COMPLETED)
        kinds = ["created", "asked", "decided", "started", "checkpoint", "completed"]
        assert await h.kinds(task.id) == kinds
    assert actor.runs[0].options["argv"] == command


async def test_a_gate_that_was_denied_can_be_asked_for_again(
    where: Paths, settings: Settings
) -> None:
    actor = ScriptedAgent("actor")
    async with house(where, settings, actor) as h, h.worker():
        task = await h.submit(stages=(StageSpec("run", "actor", gate=True),))
        first = await blocked(h, task.id)
        view = await h.hub.decide(task.id, Action.DENY, text="not today")
        assert (view.task.status, view.task.error) == (
            Status.FAILED,
            "Denied by ann: not today",
        )
        await h.hub.decide(task.id, Action.RETRY)
        second = await blocked(h, task.id)
        assert first.blocker is not None
        assert second.blocker is not None
        assert first.blocker.id != second.blocker.id
        with pytest.raises(AlreadyDecided, match=r"ann \(app\) chose DENY"):
            await h.hub.decide(task.id, Action.APPROVE, blocker_id=first.blocker.id)
        await h.hub.decide(task.id, Action.APPROVE, blocker_id=second.blocker.id)
        await until(h.hub, task.id, Status.COMPLETED)
    assert len(actor.runs) == 1


async def test_a_review_stands_after_the_stage_and_keeps_its_result(
    where: Paths, settings: Settings
) -> None:
    actor = ScriptedAgent("actor")
    two = (StageSpec("draft", "actor", review=True), StageSpec("send", "actor"))
    async with house(where, settings, actor) as h, h.worker():
        task = await h.submit(stages=two)
        view = await blocked(h, task.id)
        assert view.blocker is not None
        assert view.blocker.detail["result"] == "draft is done"
        await h.hub.decide(task.id, Action.APPROVE)
        await until(h.hub, task.id, Status.COMPLETED)
    assert [run.stage_id for run in actor.runs] == ["draft", "send"]
    assert actor.runs[1].inputs[0].text == "draft is done"


async def test_words_to_a_review_run_the_stage_again_with_them(
    where: Paths, settings: Settings
) -> None:
    actor = ScriptedAgent("actor")
    async with house(where, settings, actor) as h, h.worker():
        task = await h.submit(stages=(StageSpec("draft", "actor", review=True),))
        await blocked(h, task.id)
        await h.hub.decide(task.id, Action.PROVIDE_CONTEXT, text="shorter")
        await soon(lambda: len(actor.runs) == 2)
        view = await blocked(h, task.id)
        assert view.task.context == ("shorter",)
        await h.hub.decide(task.id, Action.DENY)
        assert (await h.hub.status(task.id)).task.status is Status.FAILED
    assert "shorter" in actor.runs[1].prompt
    assert actor.runs[1].attempt == 2


async def test_a_question_needs_no_coroutine_and_its_state_is_handed_back(
    where: Paths, settings: Settings
) -> None:
    async def work(stage: Stage, ctx: StageContext) -> Result:
        if stage.state is None:
            ctx.log("thinking")
            await ctx.save(thought="of it")
        answer = await ctx.ask(Blocker("which", BlockerKind.INPUT, "Which one?"))
        return Result(f"{answer.text}, {stage.state}")

    actor = ScriptedAgent("actor", work)
    async with house(where, settings, actor) as h:
        async with h.worker() as worker:
            task = await h.submit()
            await blocked(h, task.id)
            await soon(lambda: actor.stops == ["detach"])
            await soon(lambda: not worker.engine.busy)
        # Answered while no worker lived.
        await h.hub.decide(task.id, Action.PROVIDE_CONTEXT, text="the red one")
        async with h.worker():
            view = await until(h.hub, task.id, Status.COMPLETED)
        assert view.task.summary == "the red one, {'thought': 'of it'}"
        assert view.task.context == ("Answer to “Which one?”: the red one",)
        assert await h.said(task.id) == ["thinking"]
        kinds = await h.kinds(task.id)
        assert kinds == [
            "created",
            "started",
            "asked",
            "decided",
            "resumed",
            "checkpoint",
            "completed",
        ]
    assert len({run.idempotency_key for run in actor.runs}) == 1


@pytest.mark.parametrize(
    ("kind", "action", "more", "expected"),
    [
        (BlockerKind.APPROVAL, Action.APPROVE, {}, ("accept", None)),
        (BlockerKind.APPROVAL, Action.DENY, {"text": "no"}, ("decline", "no")),
        (BlockerKind.APPROVAL, Action.PROVIDE_CONTEXT, {"text": "later"}, ("decline", "later")),
        (BlockerKind.INPUT, Action.PROVIDE_CONTEXT, {"text": "42"}, ("accept", "42")),
        (BlockerKind.INPUT, Action.DENY, {}, ("decline", None)),
        (BlockerKind.AUTH, Action.APPROVE, {}, ("accept", None)),
        (BlockerKind.AUTH, Action.DENY, {}, ("decline", None)),
    ],
)
async def test_each_answer_reaches_the_agent_as_what_it_means(
    where: Paths,
    settings: Settings,
    kind: BlockerKind,
    action: Action,
    more: dict[str, str],
    expected: tuple[str, str | None],
) -> None:
    answers: list[Answer] = []
    async with house(where, settings, asking(kind, answers)) as h, h.worker():
        task = await h.submit()
        await blocked(h, task.id)
        await h.hub.decide(task.id, action, **more)  # type: ignore[arg-type]
        await until(h.hub, task.id, Status.COMPLETED)
    assert [(a.action, a.text) for a in answers] == [expected]


async def test_changed_arguments_approve_what_was_proposed(
    where: Paths, settings: Settings
) -> None:
    answers: list[Answer] = []
    async with house(where, settings, asking(answers=answers)) as h, h.worker():
        task = await h.submit()
        await blocked(h, task.id)
        await h.hub.decide(task.id, Action.MODIFY, data={"arguments": {"path": "/a"}})
        await until(h.hub, task.id, Status.COMPLETED)
    assert (answers[0].action, answers[0].data) == ("accept", {"path": "/a"})


async def test_a_new_request_approves_nothing_but_starts_the_stage_anew(
    where: Paths, settings: Settings
) -> None:
    answers: list[Answer] = []
    actor = asking(answers=answers)
    async with house(where, settings, actor) as h, h.worker():
        task = await h.submit()
        first = await blocked(h, task.id)
        await h.hub.decide(task.id, Action.MODIFY, data={"request": "Do another thing"})

        async def asked_anew() -> bool:
            view = await h.hub.status(task.id)
            return view.blocker is not None and view.blocker.id != first.blocker.id  # type: ignore[union-attr]

        await eventually(asked_anew)
        assert [a.action for a in answers] == ["cancel"]  # what the old attempt was told
        await h.hub.decide(task.id, Action.APPROVE)
        await until(h.hub, task.id, Status.COMPLETED)
    assert [a.action for a in answers] == ["cancel", "accept"]
    assert actor.runs[-1].prompt == "Do another thing"
    # The old attempt was told to end its work before the new one began.
    assert [(run.attempt, stop) for run, stop in zip(actor.runs, actor.stops, strict=True)] == [
        (1, "detach"),
        (1, "cancel"),
        (2, "detach"),
        (2, "no"),
    ]


async def test_a_new_title_leaves_the_question_open(where: Paths, settings: Settings) -> None:
    async with house(where, settings, asking()) as h, h.worker():
        task = await h.submit()
        before = await blocked(h, task.id)
        view = await h.hub.decide(task.id, Action.MODIFY, data={"title": "\x1b[1mBetter\nname"})
        assert view.task.title == "Better name"
        assert view.blocker == before.blocker


async def test_an_agent_may_call_its_question_gate_or_review(
    where: Paths, settings: Settings
) -> None:
    async def work(stage: Stage, ctx: StageContext) -> Result:
        said = [
            await ctx.ask(Blocker(key, BlockerKind.APPROVAL, "May I?"))
            for key in ("gate", "review", "interrupted")
        ]
        return Result(" ".join(answer.action for answer in said))

    actor = ScriptedAgent("actor", work)
    async with house(where, settings, actor) as h, h.worker():
        task = await h.submit()
        for action in (Action.APPROVE, Action.DENY, Action.APPROVE):
            view = await blocked(h, task.id)
            await h.hub.decide(task.id, action, blocker_id=view.blocker.id)  # type: ignore[union-attr]
        view = await until(h.hub, task.id, Status.COMPLETED)
        assert view.task.summary == "accept decline accept"
    assert {run.attempt for run in actor.runs} == {1}


@pytest.mark.parametrize(
    ("default", "said"), [("approve", "accept"), ("deny", "decline"), ("cancel", None)]
)
async def test_a_question_nobody_answers_in_time_takes_its_default_and_names_no_person(
    where: Paths, settings: Settings, default: str, said: str | None
) -> None:
    answers: list[Answer] = []
    actor = asking(answers=answers, timeout=0.1, default=default)
    async with house(where, settings, actor) as h, h.worker():
        task = await h.submit()
        if said is None:
            await until(h.hub, task.id, Status.CANCELLED)
        else:
            await until(h.hub, task.id, Status.COMPLETED)
            assert (answers[0].action, answers[0].timed_out) == (said, True)
        decided = [e for e in await h.hub.events(task.id) if e.kind == "decided"]
        assert [(e.by, e.channel) for e in decided] == [("nobody", "timeout")]
        asked = next(e for e in await h.hub.events(task.id) if e.kind == "asked")
        with pytest.raises(AlreadyDecided, match="nobody"):
            await h.hub.decide(task.id, Action.APPROVE, blocker_id=asked.data["blocker"])


async def test_a_persons_no_is_no_question_that_timed_out(where: Paths, settings: Settings) -> None:
    answers: list[Answer] = []
    actor = asking(answers=answers, timeout=3600, default="deny", unanswered="remind")
    async with house(where, settings, actor) as h, h.worker():
        task = await h.submit()
        await blocked(h, task.id)
        kept = await h.hub._store.read(
            lambda reader: reader.execute("SELECT unanswered FROM blocker").fetchall()
        )
        assert kept == [("remind",)]
        await h.hub.decide(task.id, Action.DENY)
        await until(h.hub, task.id, Status.COMPLETED)
        assert (answers[0].action, answers[0].timed_out) == ("decline", False)


async def test_a_default_that_is_no_answer_is_refused_and_the_engine_rests(
    where: Paths, settings: Settings
) -> None:
    actor = asking(BlockerKind.INPUT, timeout=0.01, default="approve")
    async with house(where, settings, actor) as h, h.worker():
        task = await h.submit()
        view = await until(h.hub, task.id, Status.FAILED)
        assert view.task.error is not None
        assert "APPROVE is no answer" in view.task.error


@pytest.mark.parametrize("timeout", [math.nan, math.inf, -5, 0, 1e300, True, "5", 10**400])
async def test_a_time_that_is_none_is_refused_in_a_sentence(
    where: Paths, settings: Settings, timeout: object
) -> None:
    actor = asking(timeout=timeout, default="deny")
    async with house(where, settings, actor) as h, h.worker():
        task = await h.submit()
        view = await until(h.hub, task.id, Status.FAILED)
        assert view.task.error == (
            "The agent asks “may-i” with a timeout that is no number of seconds above 0; its author"
            " must mend that"
        )
        assert [event.kind for event in await h.hub.events(task.id) if event.kind == "asked"] == []


async def test_an_answer_that_is_known_is_handed_on_though_its_time_is_over(
    where: Paths, settings: Settings
) -> None:
    """An agent that goes on may reckon what is left of its time anew, and find none."""
    left = iter([600.0, -1.0])

    async def work(stage: Stage, ctx: StageContext) -> Result:
        question = Blocker("may-i", BlockerKind.APPROVAL, "May I?", timeout=next(left))
        return Result((await ctx.ask(question)).action)

    async with house(where, settings, ScriptedAgent("actor", work)) as h, h.worker():
        task = await h.submit()
        await blocked(h, task.id)
        await h.hub.decide(task.id, Action.APPROVE)
        view = await until(h.hub, task.id, Status.COMPLETED)
        assert view.task.summary == "accept"


async def test_twenty_deciders_at_once_have_one_winner(where: Paths, settings: Settings) -> None:
    answers: list[Answer] = []
    async with house(where, settings, asking(answers=answers)) as h, h.worker():
        task = await h.submit()
        view = await blocked(h, task.id)
        assert view.blocker is not None
        open_id, version = view.blocker.id, view.blocker.version

        async def decide(i: int) -> object:
            action = Action.APPROVE if i % 2 else Action.DENY
            return await h.hub.decide(task.id, action, blocker_id=open_id, version=version)

        said = await asyncio.gather(*(decide(i) for i in range(20)), return_exceptions=True)
        won = [one for one in said if isinstance(one, TaskView)]
        late = [str(one) for one in said if isinstance(one, AlreadyDecided)]
        assert (len(won), len(late)) == (1, 19)
        assert all(words.startswith("Too late: ann (app) chose ") for words in late)
        await until(h.hub, task.id, Status.COMPLETED)
        assert (await h.kinds(task.id)).count("decided") == 1
    assert len(answers) == 1


async def test_a_decision_on_what_has_changed_or_belongs_to_another_is_refused(
    where: Paths, settings: Settings
) -> None:
    async with house(where, settings, asking()) as h, h.worker():
        one, two = await h.submit(), await h.submit()
        first, second = await blocked(h, one.id), await blocked(h, two.id)
        assert first.blocker is not None
        assert second.blocker is not None
        with pytest.raises(AlreadyDecided, match="has changed since"):
            await h.hub.decide(one.id, Action.APPROVE, blocker_id=first.blocker.id, version=7)
        with pytest.raises(AlreadyDecided):
            await h.hub.decide(one.id, Action.APPROVE, blocker_id=second.blocker.id)
        assert [v.task.status for v in (first, second)] == [Status.BLOCKED] * 2
        assert len(await h.hub.blockers()) == 2


async def test_a_choice_that_was_not_offered_is_refused_and_nothing_is_decided(
    where: Paths, settings: Settings
) -> None:
    answers: list[Answer] = []
    offered = (Choice("once", "Only once"), Choice("always", "Always"))
    async with house(where, settings, asking(answers=answers, choices=offered)) as h, h.worker():
        task = await h.submit()
        await blocked(h, task.id)
        with pytest.raises(BadInput, match="`never` is not one of the choices"):
            await h.hub.decide(task.id, Action.APPROVE, choice="never")
        await h.hub.decide(task.id, Action.APPROVE, choice="once")
        await until(h.hub, task.id, Status.COMPLETED)
    assert [(a.action, a.choice) for a in answers] == [("accept", "once")]


async def test_what_was_said_long_ago_is_not_called_too_late(
    where: Paths, settings: Settings
) -> None:
    async with house(where, settings, ScriptedAgent("actor")) as h:
        task = await h.submit()
        await h.hub.decide(task.id, Action.PROVIDE_CONTEXT, text="by the way")
        with pytest.raises(NotLegal) as refused:
            await h.hub.decide(task.id, Action.RETRY)
        assert not isinstance(refused.value, AlreadyDecided)
        assert str(refused.value) == f"RETRY does not fit: task {task.id} is pending"


async def test_cancel_of_a_waiting_task_never_runs_it(where: Paths, settings: Settings) -> None:
    actor = ScriptedAgent("actor")
    async with house(where, settings, actor) as h:
        task = await h.submit()
        view = await h.hub.decide(task.id, Action.CANCEL)
        assert (view.task.status, view.task.stopping) == (Status.CANCELLED, False)
        async with h.worker():
            other = await h.submit()
            await until(h.hub, other.id, Status.COMPLETED)
    assert [run.task_id for run in actor.runs] == [other.id]


async def test_cancel_of_a_running_task_stops_its_agent(where: Paths, settings: Settings) -> None:
    async def work(stage: Stage, ctx: StageContext) -> Result:
        await asyncio.Event().wait()
        return Result()

    actor = ScriptedAgent("actor", work)
    async with house(where, settings, actor) as h, h.worker():
        task = await h.submit()
        await soon(lambda: actor.runs)
        view = await h.hub.decide(task.id, Action.CANCEL)
        assert view.task.status is Status.CANCELLED
        await soon(lambda: actor.stops == ["cancel"])
        await eventually(lambda: _at_rest(h, task.id))
    assert len(actor.runs) == 1


async def _at_rest(h: House, task_id: str) -> bool:
    task = (await h.hub.status(task_id)).task
    return not task.stopping and task.holder is None


async def test_cancel_of_a_question_ends_what_outlived_it(where: Paths, settings: Settings) -> None:
    actor = asking()
    async with house(where, settings, actor) as h, h.worker():
        task = await h.submit()
        await blocked(h, task.id)
        await h.hub.decide(task.id, Action.CANCEL)
        await soon(lambda: actor.stops == ["detach", "cancel"])
        await eventually(lambda: _at_rest(h, task.id))
        assert (await h.hub.status(task.id)).task.status is Status.CANCELLED


async def test_cancel_of_a_paused_answered_question_ends_what_outlived_it(
    where: Paths, settings: Settings
) -> None:
    actor = asking()
    async with house(where, settings, actor) as h:
        async with h.worker():
            task = await h.submit()
            await blocked(h, task.id)
        await h.hub.decide(task.id, Action.APPROVE)
        await h.hub.pause(task.id)
        await h.hub.decide(task.id, Action.CANCEL)
        async with h.worker():
            await soon(lambda: actor.stops == ["detach", "cancel"])
            await eventually(lambda: _at_rest(h, task.id))


async def test_what_cannot_be_loaded_cannot_be_stopped_and_that_is_said_once(
    where: Paths, settings: Settings
) -> None:
    async with house(where, settings, asking()) as h:
        async with h.worker():
            task = await h.submit()
            await blocked(h, task.id)
        await h.hub.decide(task.id, Action.CANCEL)
        async with house(where, settings) as bare, bare.worker():
            await eventually(lambda: _at_rest(h, task.id))
        assert await h.said(task.id) == [
            "The agent `actor` cannot be loaded; what it started may still run"
        ]


async def test_reassign_stops_the_old_agent_before_the_new_one_begins(
    where: Paths, settings: Settings
) -> None:
    order: list[str] = []

    async def slow(stage: Stage, ctx: StageContext) -> Result:
        order.append("old begins")
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0.05)
            order.append("old ends")
        return Result()

    async def work(stage: Stage, ctx: StageContext) -> Result:
        order.append("new begins")
        return Result("done")

    old = ScriptedAgent("actor", slow)
    new = ScriptedAgent("other", work)
    async with house(where, settings, old, new) as h, h.worker():
        task = await h.submit()
        await soon(lambda: old.runs)
        await h.hub.decide(task.id, Action.REASSIGN, agent="other", text="you do it")
        view = await until(h.hub, task.id, Status.COMPLETED)
        assert view.task.agent == "other"
    assert order == ["old begins", "old ends", "new begins"]
    assert old.stops == ["cancel"]
    assert "you do it" in new.runs[0].prompt


async def test_reassign_keeps_what_is_done_and_hands_it_on(
    where: Paths, settings: Settings
) -> None:
    async def fail(stage: Stage, ctx: StageContext) -> Result:
        if stage.stage_id == "second":
            raise AgentError("cannot")
        return Result("the first part", {"rows": 3})

    plan = (StageSpec("first", "actor"), StageSpec("second", "actor"))
    new = ScriptedAgent("other", stages=(StageSpec("a", "other"), StageSpec("b", "other")))
    async with (
        house(where, settings, ScriptedAgent("actor", fail, stages=plan), new) as h,
        h.worker(),
    ):
        task = await h.submit()
        await until(h.hub, task.id, Status.FAILED)
        await h.hub.decide(task.id, Action.REASSIGN, agent="other")
        view = await until(h.hub, task.id, Status.COMPLETED)
        assert [stage.name for stage in view.stages] == ["first", "a", "b"]
        assert view.stages[0].agent == "actor"
    assert [run.stage_id for run in new.runs] == ["a", "b"]
    assert (new.runs[0].inputs[0].text, new.runs[0].inputs[0].data) == (
        "the first part",
        {"rows": 3},
    )


async def test_a_new_agent_starts_nothing_without_the_questions_that_were_to_come(
    where: Paths, settings: Settings
) -> None:
    plan = (
        StageSpec("make", "actor", gate=True, timeout=60),
        StageSpec("publish", "actor", gate=True, review=True, timeout=60),
    )
    new = ScriptedAgent("other")
    async with house(where, settings, ScriptedAgent("actor"), new) as h:
        task = await h.submit(stages=plan)
        async with h.worker():
            await blocked(h, task.id)
        await h.hub.decide(task.id, Action.APPROVE)
        await h.hub.decide(task.id, Action.REASSIGN, agent="other")
        async with h.worker():
            view = await blocked(h, task.id)
            assert view.blocker is not None
            assert (view.blocker.key, new.runs) == ("gate", [])
            assert view.stages[0].timeout == 60
            await h.hub.decide(task.id, Action.APPROVE)
            view = await until(h.hub, task.id, Status.BLOCKED)
            assert view.blocker is not None
            assert (view.blocker.key, len(new.runs)) == ("review", 1)
            await h.hub.decide(task.id, Action.APPROVE)
            await until(h.hub, task.id, Status.COMPLETED)
        asked = await h.hub._store.read(
            lambda reader: reader.execute(
                "SELECT key, state FROM blocker ORDER BY created"
            ).fetchall()
        )
    assert asked == [("gate", "answered"), ("gate", "answered"), ("review", "answered")]


async def test_what_the_old_agent_asked_is_no_answer_to_the_new_one(
    where: Paths, settings: Settings
) -> None:
    answers: list[Answer] = []
    old, new = asking(), asking(answers=answers)
    new.card = ScriptedAgent("other").card
    async with house(where, settings, old, new) as h, h.worker():
        task = await h.submit()
        first = await blocked(h, task.id)
        await h.hub.decide(task.id, Action.REASSIGN, agent="other")
        await soon(lambda: new.runs)
        second = await blocked(h, task.id)
        assert first.blocker is not None
        assert second.blocker is not None
        assert second.blocker.id != first.blocker.id
        await h.hub.decide(task.id, Action.APPROVE, blocker_id=second.blocker.id)
        await until(h.hub, task.id, Status.COMPLETED)
    assert [a.action for a in answers] == ["accept"]
    assert old.stops == ["detach", "cancel"]


async def test_a_task_that_runs_is_paused_after_its_stage(where: Paths, settings: Settings) -> None:
    go = asyncio.Event()

    async def work(stage: Stage, ctx: StageContext) -> Result:
        await go.wait()
        return Result(stage.stage_id)

    actor = ScriptedAgent("actor", work)
    two = (StageSpec("first", "actor"), StageSpec("second", "actor"))
    async with house(where, settings, actor) as h, h.worker():
        task = await h.submit(stages=two)
        await soon(lambda: actor.runs)
        await h.hub.pause(task.id)
        go.set()
        view = await until(h.hub, task.id, Status.PAUSED)
        assert not view.task.pausing
        assert [run.stage_id for run in actor.runs] == ["first"]
        await h.hub.resume(task.id)
        await until(h.hub, task.id, Status.COMPLETED)
    assert [run.stage_id for run in actor.runs] == ["first", "second"]


async def test_reassign_leaves_a_paused_task_paused(where: Paths, settings: Settings) -> None:
    other = ScriptedAgent("other")
    async with house(where, settings, ScriptedAgent("actor"), other) as h, h.worker():
        go = await h.submit(not_before=h.hub.clock() + 3600)
        view = await h.hub.pause(go.id)
        view = await h.hub.decide(go.id, Action.REASSIGN, agent="other")
        assert (view.task.status, view.task.agent) == (Status.PAUSED, "other")
        view = await h.hub.resume(go.id)
        assert (view.task.status, view.task.waiting_on) == (Status.PENDING, WaitingOn.SCHEDULE)
        view = await h.hub.decide(go.id, Action.REASSIGN, agent="actor")
        assert (view.task.ready_at, view.task.waiting_on) == (go.ready_at, WaitingOn.SCHEDULE)
    assert other.runs == []


async def test_a_retry_runs_even_where_a_pause_had_been_asked_for(
    where: Paths, settings: Settings
) -> None:
    go = asyncio.Event()

    async def work(stage: Stage, ctx: StageContext) -> Result:
        await go.wait()
        if stage.attempt == 1:
            raise AgentError("no")
        return Result()

    actor = ScriptedAgent("actor", work)
    async with house(where, settings, actor) as h, h.worker():
        task = await h.submit()
        await soon(lambda: actor.runs)
        await h.hub.pause(task.id)
        go.set()
        await until(h.hub, task.id, Status.FAILED)
        await h.hub.decide(task.id, Action.RETRY)
        await until(h.hub, task.id, Status.COMPLETED)
