"""Answers from outside: one is taken, and only as it was meant. Threats are named T1 to T20."""

import asyncio
import logging
import time
from pathlib import Path

import pytest
from asked import scene
from support import until

from taskhub_tui import deciding
from taskhub_tui.config import Paths, Settings
from taskhub_tui.domain.model import Action, BlockerKind, Status
from taskhub_tui.notifications.answers import (
    MISSES,
    Answers,
    Asked,
    Limit,
    Verdict,
)
from taskhub_tui.notifications.granting import LIFE, NOTHING, SHORT_LIFE
from taskhub_tui.storage.store import Store

WIDE = Limit(burst=1000, every=1.0)


async def test_the_first_answer_decides_in_the_name_of_the_owner(
    where: Paths, settings: Settings
) -> None:
    async with scene(where, settings) as s:
        task = await s.ask()
        given = await s.grant(task, "phone")
        assert set(given.tokens) == {"approve", "deny", "context", "cancel"}
        outcome = await s.answers.consume(
            given.tokens["approve"], "approve", peer="ntfy", channel="phone", text="go on"
        )
        assert (outcome.verdict, outcome.status) == (Verdict.TAKEN, 200)
        view = await until(s.hub, task.id, Status.COMPLETED)
        assert view.task.summary == "accept go on"
        assert await s.decided(task) == [("ann", "phone", "approve")]


@pytest.mark.parametrize(
    ("line", "action", "text"),
    [
        ("{deny} no, not today", "deny", "not today"),
        ("{approve} YES.", "approve", None),
        ("{context} reply use the other folder", "context", "use the other folder"),
        ("  {deny}   deny  ", "deny", None),
    ],
)
async def test_a_line_from_a_phone_is_a_token_a_decision_and_words(
    where: Paths, settings: Settings, line: str, action: str, text: str | None
) -> None:
    async with scene(where, settings) as s:
        task = await s.ask()
        given = await s.grant(task, "phone")
        outcome = await s.answers.consume_line(
            line.format(**given.tokens), peer="ntfy", channel="phone"
        )
        assert outcome.verdict is Verdict.TAKEN, outcome
        (event,) = [e for e in await s.hub.events(task.id) if e.kind == "decided"]
        assert (event.data["action"], event.data.get("text")) == (action, text)


async def test_an_sms_is_answered_with_its_code_by_its_recipient_only(
    where: Paths, settings: Settings
) -> None:
    async with scene(where, settings, risk="high") as s:
        task = await s.ask()
        given = await s.grant(task, "sms", "+491701")
        assert len(given.code) == 4
        line = f"{given.code.lower()} yes"
        other = await s.answers.consume_line(line, peer="+491709", channel="sms")
        assert other.verdict is Verdict.UNKNOWN
        wrong = await s.answers.consume_line("AAAA yes", peer="+491701", channel="sms")
        assert wrong.verdict is Verdict.UNKNOWN
        outcome = await s.answers.consume_line(line, peer="+491701", channel="sms")
        assert outcome.verdict is Verdict.TAKEN
        await until(s.hub, task.id, Status.COMPLETED)


async def test_a_failure_is_answered_and_afterwards_it_is_too_late(
    where: Paths, settings: Settings
) -> None:
    async with scene(where, settings) as s:
        task = await s.ask()
        await s.hub.decide(task.id, Action.MODIFY, data={"deadline": time.time() + 0.3})
        await until(s.hub, task.id, Status.FAILED)
        given = await s.grant(task, "phone")
        assert set(given.tokens) == {"retry", "cancel"}
        again = await s.grant(task, "email")
        await s.hub.decide(task.id, Action.CANCEL)
        late = await s.answers.consume(given.tokens["retry"], "retry", peer="ntfy", channel="phone")
        assert late.verdict is Verdict.LATE
        assert await s.status(task) is Status.CANCELLED
        later = await s.answers.consume(again.tokens["cancel"], "cancel", peer="x", channel="http")
        assert later.verdict is Verdict.LATE


async def test_what_lacks_words_is_said_and_can_be_sent_again(
    where: Paths, settings: Settings
) -> None:
    async with scene(where, settings) as s:
        task = await s.ask()
        token = (await s.grant(task, "phone")).tokens["context"]
        outcome = await s.answers.consume(token, "context", peer="ntfy", channel="phone", text=" ")
        assert outcome.verdict is Verdict.UNFIT
        outcome = await s.answers.consume(token, "context", peer="ntfy", channel="phone", text="x")
        assert outcome.verdict is Verdict.TAKEN


async def test_a_question_that_was_answered_gives_no_more_tokens(
    where: Paths, settings: Settings
) -> None:
    async with scene(where, settings) as s:
        task = await s.ask()
        await s.hub.decide(task.id, Action.DENY)
        given = await s.grant(task, "phone")
        assert given.tokens == {}
        assert given.code == given.link == ""


async def test_a_question_that_is_damaged_is_not_decided_and_fails_its_task(
    where: Paths, settings: Settings
) -> None:
    async with scene(where, settings) as s:
        task = await s.ask()
        given = await s.grant(task, "phone")
        await s.sql("UPDATE blocker SET detail = replace(detail, 'build', '/home')")
        outcome = await s.answers.consume(
            given.tokens["approve"], "approve", peer="ntfy", channel="phone"
        )
        assert (outcome.verdict, outcome.status) == (Verdict.DAMAGED, 500)
        assert await s.status(task) is Status.FAILED
        assert [verdict for *_, verdict, _ in await s.attempts()] == ["damaged"]
        assert await s.decided(task) == []


async def test_t02_a_scanner_that_posts_lacks_the_code(where: Paths, settings: Settings) -> None:
    async with scene(where, settings, risk="high") as s:
        s.answers.base = "http://127.0.0.1:1/a"
        task = await s.ask()
        given = await s.grant(task, "email", "ann@example.org")
        token = given.link.rpartition("/")[2]
        for code in (None, "", "AAAA"):
            outcome = await s.answers.consume(
                token, "approve", peer="scanner", channel="http", code=code
            )
            assert (outcome.verdict, outcome.status) == (Verdict.CODE, 403)
        assert await s.status(task) is Status.BLOCKED
        typed = f" {given.code[:2].lower()}-{given.code[2:]} "
        outcome = await s.answers.consume(
            token, "approve", peer="browser", channel="http", code=typed
        )
        assert outcome.verdict is Verdict.TAKEN


async def test_t02_codes_are_not_guessed_and_deny_takes_none(
    where: Paths, settings: Settings
) -> None:
    async with scene(where, settings, risk="high") as s:
        task = await s.ask()
        given = await s.grant(task, "email", "ann@example.org")
        token = given.tokens["approve"]
        for _ in range(MISSES):
            wrong = "AAAA" if given.code != "AAAA" else "BBBB"
            outcome = await s.answers.consume(
                token, "approve", peer="scanner", channel="http", code=wrong
            )
            assert outcome.verdict is Verdict.CODE
        outcome = await s.answers.consume(
            token, "approve", peer="scanner", channel="http", code=given.code
        )
        assert (outcome.verdict, outcome.status) == (Verdict.SPENT, 410)
        outcome = await s.answers.consume(given.tokens["deny"], "deny", peer="b", channel="http")
        assert outcome.verdict is Verdict.TAKEN


async def test_t03_a_token_is_good_once(where: Paths, settings: Settings) -> None:
    async with scene(where, settings) as s:
        task = await s.ask()
        token = (await s.grant(task, "phone")).tokens["approve"]
        first = await s.answers.consume(token, "approve", peer="ntfy", channel="phone")
        again = await s.answers.consume(token, "approve", peer="ntfy", channel="phone")
        assert (first.status, again.status) == (200, 410)
        assert again.sentence.startswith("Too late: ann (phone) chose APPROVE ")
        assert len(await s.decided(task)) == 1


async def test_t04_of_sixty_answers_by_three_channels_one_decides(
    where: Paths, settings: Settings
) -> None:
    async with scene(where, settings, limit=WIDE) as s:
        task = await s.ask()
        given = [(c, (await s.grant(task, c)).tokens) for c in ("phone", "email", "desktop")]
        outcomes = await asyncio.gather(
            *(
                s.answers.consume(tokens[action], action, peer=f"{n}", channel=channel)
                for n in range(10)
                for channel, tokens in given
                for action in ("approve", "deny")
            )
        )
        codes = sorted(outcome.status for outcome in outcomes)
        assert codes[0] == 200
        assert codes[1:] == [410] * 59, "its siblings are spent with it"
        assert len(await s.decided(task)) == 1


async def test_t04_two_processes_that_take_answers_take_one(
    where: Paths, settings: Settings
) -> None:
    async with scene(where, settings, limit=WIDE) as s:
        for _ in range(5):
            task = await s.ask()
            phone, mail = [(await s.grant(task, c)).tokens for c in ("phone", "email")]
            store = await Store.open(where.database)
            try:
                other = Answers(store, deciding.answer, owner="ann")
                outcomes = await asyncio.gather(
                    s.answers.consume(phone["approve"], "approve", peer="a", channel="phone"),
                    other.consume(mail["deny"], "deny", peer="b", channel="email"),
                )
            finally:
                await store.close()
            assert sorted(outcome.status for outcome in outcomes) == [200, 410]
            assert len(await s.decided(task)) == 1


async def test_t04_an_answer_in_the_app_makes_every_token_late(
    where: Paths, settings: Settings
) -> None:
    async with scene(where, settings) as s:
        task = await s.ask()
        token = (await s.grant(task, "phone")).tokens["deny"]
        await s.hub.decide(task.id, Action.APPROVE)
        outcome = await s.answers.consume(token, "deny", peer="ntfy", channel="phone")
        assert outcome.status == 409
        assert outcome.sentence.startswith("Too late: ann (app) chose APPROVE ")
        assert await s.decided(task) == [("ann", "app", "approve")]


async def test_t05_a_token_expires_sooner_where_it_may_do_harm(
    where: Paths, settings: Settings
) -> None:
    async with scene(where, settings, risk="high") as s:
        task = await s.ask()
        given = await s.grant(task, "phone")
        s.clock.now += SHORT_LIFE
        outcome = await s.answers.consume(
            given.tokens["approve"], "approve", peer="ntfy", channel="phone"
        )
        assert (outcome.verdict, outcome.status) == (Verdict.EXPIRED, 410)
        s.clock.now += LIFE - SHORT_LIFE - 1
        outcome = await s.answers.consume(
            given.tokens["deny"], "deny", peer="ntfy", channel="phone"
        )
        assert outcome.verdict is Verdict.TAKEN


async def test_t06_a_token_takes_only_what_it_was_made_for_by_its_own_way(
    where: Paths, settings: Settings
) -> None:
    async with scene(where, settings) as s:
        task = await s.ask()
        token = (await s.grant(task, "phone")).tokens["deny"]
        for action in ("approve", "cancel", "modify", "", "DENY"):
            outcome = await s.answers.consume(token, action, peer="ntfy", channel="phone")
            assert outcome.status == 403, action
        assert await s.status(task) is Status.BLOCKED
        token = (await s.grant(task, "email")).tokens["deny"]
        outcome = await s.answers.consume(token, "deny", peer="ntfy", channel="phone")
        assert outcome.status == 403, "a mail's token does not come from the phone"


async def test_t07_a_question_that_changed_is_not_answered_by_an_old_message(
    where: Paths, settings: Settings
) -> None:
    async with scene(where, settings) as s:
        task = await s.ask()
        token = (await s.grant(task, "phone")).tokens["approve"]
        await s.sql("UPDATE blocker SET version = version + 1, seal = NULL")
        outcome = await s.answers.consume(token, "approve", peer="ntfy", channel="phone")
        assert outcome.status == 409
        assert "has changed since it was shown" in outcome.sentence
        assert await s.status(task) is Status.BLOCKED
        await s.sql("UPDATE blocker SET created = created + 60")
        assert (await s.grant(task, "phone")).tokens == {}, "the old message gets none"


async def test_t10_guessing_is_hopeless_and_slow_but_keeps_nobody_from_answering(
    where: Paths, settings: Settings
) -> None:
    async with scene(where, settings, limit=Limit(burst=5, every=1e9)) as s:
        task = await s.ask()
        token = (await s.grant(task, "phone")).tokens["approve"]
        assert len(token) == 43, "256 bits"
        codes = [
            (await s.answers.consume(f"guess{n}", "approve", peer="evil", channel="phone")).status
            for n in range(30)
        ]
        assert codes == [404] * 5 + [429] * 25
        assert [a[2:] for a in await s.attempts()] == [("unknown", 1)] * 5 + [("limited", 25)]
        outcome = await s.answers.consume(token, "approve", peer="evil", channel="phone")
        assert outcome.status == 200
        spent = await s.answers.consume(token, "approve", peer="evil", channel="phone")
        assert spent.status == 429


def test_t10_a_place_gets_its_tries_back_one_by_one_and_few_are_remembered() -> None:
    now = 0.0
    limit = Limit(burst=2, every=10.0, clock=lambda: now)
    assert [limit.take("a") for _ in range(3)] == [True, True, False]
    assert limit.take("b"), "another place has its own"
    now = 10.0
    assert [limit.take("a") for _ in range(2)] == [True, False]
    now = 1000.0
    assert [limit.take("a") for _ in range(3)] == [True, True, False]
    for n in range(5000):
        limit.take(str(n))
    assert len(limit._left) == Limit.MOST


@pytest.mark.parametrize(
    "line", ["", " ", "x", "\x00\x1b[2J", "y" * 100_000, "a b c", "\ud800 yes"]
)
async def test_t10_a_line_that_is_none_answers_nothing(
    where: Paths, settings: Settings, line: str
) -> None:
    async with scene(where, settings) as s:
        for channel in ("phone", "sms"):
            outcome = await s.answers.consume_line(line, peer="p", channel=channel)
            assert outcome.verdict is Verdict.UNKNOWN


async def test_t11_no_token_and_no_code_is_on_disk(
    where: Paths, settings: Settings, home: Path
) -> None:
    async with scene(where, settings, risk="high") as s:
        s.answers.base = "http://127.0.0.1:1/a"
        task = await s.ask()
        given = await s.grant(task, "email", "ann@example.org")
        await s.answers.consume(given.tokens["deny"], "approve", peer="p", channel="http")
        await s.answers.consume(
            given.tokens["approve"], "approve", peer="p", channel="http", code=given.code
        )
        secret = [*given.tokens.values(), given.link.rpartition("/")[2]]
        files = [path for path in home.rglob("*") if path.is_file()]
        assert any(path.name == "taskhub.db-wal" for path in files)
        for path in files:
            data = path.read_bytes()
            assert [one for one in secret if one.encode() in data] == [], path


async def test_t12_no_token_is_in_a_log(
    where: Paths, settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    async with scene(where, settings) as s:
        task = await s.ask()
        given = await s.grant(task, "phone")
        for action in ("deny", "approve", "approve"):
            await s.answers.consume(given.tokens["approve"], action, peer="p", channel="phone")
    assert "an answer was taken" in caplog.text
    assert [one for one in given.tokens.values() if one in caplog.text] == []


async def test_t18_over_a_topic_that_strangers_may_read_nothing_risky_is_approved(
    where: Paths, settings: Settings
) -> None:
    async with scene(where, settings, risk="high") as s:
        task = await s.ask()
        assert set((await s.grant(task, "phone", public=True)).tokens) == {
            "deny", "context", "cancel"
        }  # fmt: skip
        assert "approve" in (await s.grant(task, "phone")).tokens
        for channel in ("webhook", "command", "apprise", "desktop"):
            tokens = (await s.grant(task, channel)).tokens
            assert "approve" not in tokens, channel
            assert "deny" in tokens, channel


async def test_t18_on_the_phone_what_is_risky_takes_a_second_press_on_a_second_message(
    where: Paths, settings: Settings
) -> None:
    async with scene(where, settings, risk="high") as s:
        task = await s.ask()
        given = await s.grant(task, "phone", key="taskhub-1")
        line = f"{given.tokens['approve']} approve"
        for _ in range(3):
            outcome = await s.answers.consume_line(line, peer="ntfy", channel="phone")
            assert outcome.verdict is Verdict.AGAIN
            assert outcome.again is not None
            assert outcome.again.grant.key == "taskhub-1"
        assert await s.status(task) is Status.BLOCKED
        assert [what for *_, what, _ in await s.attempts()] == ["again"] * 3
        second = await s.grant(task, "phone", key="taskhub-1", sure=True)
        outcome = await s.answers.consume_line(
            f"{second.tokens['approve']} approve", peer="ntfy", channel="phone"
        )
        assert outcome.verdict is Verdict.TAKEN
        late = await s.answers.consume_line(line, peer="ntfy", channel="phone")
        assert late.verdict is Verdict.SPENT


async def test_t18_a_task_is_not_started_where_others_may_read_nor_by_a_click_in_passing(
    where: Paths, settings: Settings
) -> None:
    async with scene(where, settings) as s:
        s.answers.base = "http://127.0.0.1:1/a"
        task = await s.ask()
        await s.hub.decide(task.id, Action.APPROVE)
        await until(s.hub, task.id, Status.COMPLETED)
        done = {"kinds": ("completed",)}
        assert set((await s.grant(task, "phone", **done)).tokens) == {"next-1"}
        assert (await s.grant(task, "email", **done)).code
        assert await s.grant(task, "phone", public=True, **done) == NOTHING
        for channel in ("desktop", "sms", "webhook", "command", "apprise"):
            assert await s.grant(task, channel, **done) == NOTHING, channel


async def test_what_is_asked_that_does_not_fit_is_approved_on_the_page_only(
    where: Paths, settings: Settings
) -> None:
    async with scene(where, settings) as s:
        s.answers.base = "http://127.0.0.1:1/a"
        task = await s.ask()
        given = await s.grant(task, "phone", whole=False)
        assert "approve" not in given.tokens
        assert "deny" in given.tokens
        found = await s.answers.look(given.link.rpartition("/")[2])
        assert isinstance(found, Asked)
        assert Action.APPROVE in found.grant.actions


async def test_what_is_hidden_and_of_high_risk_is_not_approved_unseen(
    where: Paths, settings: Settings
) -> None:
    async with scene(where, settings, risk="high") as s:
        task = await s.ask()
        given = await s.grant(task, "sms", "+491701", hidden=True)
        assert "approve" not in given.tokens
        outcome = await s.answers.consume_line(
            f"{given.code} approve", peer="+491701", channel="sms"
        )
        assert outcome.verdict is Verdict.UNKNOWN
        assert await s.status(task) is Status.BLOCKED


async def test_an_sms_approves_nothing_that_it_does_not_show(
    where: Paths, settings: Settings
) -> None:
    # Its code was good for the token of the page's link as well, which may approve everything.
    async with scene(where, settings) as s:
        s.answers.base = "http://127.0.0.1:1/a"
        task = await s.ask()
        given = await s.grant(task, "sms", "+491701", whole=False)
        assert (given.link, "approve" in given.tokens) == ("", False)
        for words in ("approve", "yes"):
            outcome = await s.answers.consume_line(
                f"{given.code} {words}", peer="+491701", channel="sms"
            )
            assert outcome.verdict is Verdict.UNKNOWN
        assert await s.status(task) is Status.BLOCKED


async def test_t19_sixty_attempts_are_sixty_lines_of_the_audit(
    where: Paths, settings: Settings
) -> None:
    async with scene(where, settings, limit=WIDE) as s:
        task = await s.ask()
        given = [(c, (await s.grant(task, c)).tokens["approve"]) for c in ("phone", "email")]
        await asyncio.gather(
            *(
                s.answers.consume(token, "approve", peer="p", channel=channel)
                for _ in range(30)
                for channel, token in given
            )
        )
        found = await s.attempts()
        assert len(found) == 60
        assert sorted(verdict for *_, verdict, _ in found) == ["spent"] * 59 + ["taken"]


async def test_t20_words_from_a_phone_are_harmless_and_not_endless(
    where: Paths, settings: Settings
) -> None:
    async with scene(where, settings, kind=BlockerKind.INPUT) as s:
        task = await s.ask()
        token = (await s.grant(task, "phone")).tokens["context"]
        hostile = "\x1b]52;c;ZXZpbA==\x07safe\u202e[@click=app.quit]x[/]\x00" + "y" * 10_000
        await s.answers.consume(token, "context", peer="ntfy\x1b[2J", channel="phone", text=hostile)
        await until(s.hub, task.id, Status.COMPLETED)
        (event,) = [e for e in await s.hub.events(task.id) if e.kind == "decided"]
        text = str(event.data["text"])
        assert text.startswith("safe[@click=app.quit]x[/]yyy")
        assert len(text) == 4000
        assert [peer for _, peer, *_ in await s.attempts()] == ["ntfy"]
