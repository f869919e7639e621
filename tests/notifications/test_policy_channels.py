"""The default policy of every channel beyond the desktop, and what settings make of it."""

from datetime import UTC, datetime
from math import inf

import pytest
from hypothesis import given
from hypothesis import strategies as st

from taskhub_tui.domain.errors import BadInput
from taskhub_tui.domain.model import NoticeKind, Priority
from taskhub_tui.notifications.policy import After, Channel, Context, Event, should_notify
from taskhub_tui.notifications.prefs import read

NOON = datetime(2026, 3, 3, 12, tzinfo=UTC).timestamp()
NIGHT = datetime(2026, 3, 3, 23, tzinfo=UTC).timestamp()
MORNING = datetime(2026, 3, 4, 8, tzinfo=UTC).timestamp()
ALL = {
    "phone": {"enabled": True, "topic": "t"},
    "email": {"enabled": True, "host": "mx", "sender": "a@b", "to": "c@d"},
    "sms": {
        "enabled": True,
        "account": "AC",
        "token": "env:SMS",
        "sender": "+1",
        "to": "+2",
    },
    "webhook": {"enabled": True, "url": "https://x"},
    "command": {"enabled": True, "argv": ["say"]},
    "apprise": {"enabled": True, "urls": ["env:APPRISE"]},
}
BLOCKER, DONE = NoticeKind.BLOCKER, NoticeKind.COMPLETED
MIN, HOUR = 60.0, 3600.0


def plan(kind=BLOCKER, section=None, *, now=NOON, context=None, **event):
    prefs = read(ALL | (section or {}))
    context = {"focused": False, "idle": 300.0} | (context or {})
    return should_notify(Event(kind, **({"at": now} | event)), prefs, Context(now=now, **context))


def delays(found, now=NOON) -> dict[str, list[float]]:
    """When each channel is used, in seconds from the event."""
    out: dict[str, list[float]] = {}
    for step in found.steps:
        if step.due is not None:
            out.setdefault(step.channel.value, []).append(step.due - now)
    return out


def reason(found, channel: Channel) -> str:
    return next(step.reason for step in found.steps if step.channel is channel)


NEAR = {"in-app": [0], "desktop": [0], "terminal": [0], "webhook": [0], "command": [0]}
LADDER = NEAR | {"phone": [2 * MIN, HOUR, 4 * HOUR], "email": [10 * MIN], "apprise": [2 * MIN]}


@pytest.mark.parametrize("kind", [NoticeKind.BLOCKER, NoticeKind.ERROR])
def test_a_question_goes_further_the_longer_it_is_unanswered(kind):
    assert delays(plan(kind)) == LADDER
    assert delays(plan(kind, priority=Priority.CRITICAL)) == LADDER | {"sms": [30 * MIN]}


def test_what_is_repeated_by_itself_goes_nowhere():
    assert delays(plan(NoticeKind.ERROR, needs_person=False)) == {"in-app": [0]}
    assert delays(plan(NoticeKind.PROGRESS)) == {"in-app": [0]}


@pytest.mark.parametrize(
    ("ran", "channels"),
    [
        (29, {"in-app", "webhook", "command"}),
        (30, {"in-app", "webhook", "command", "desktop", "terminal"}),
        (599, {"in-app", "webhook", "command", "desktop", "terminal"}),
        (600, {"in-app", "webhook", "command", "desktop", "terminal", "phone", "apprise"}),
        (3600, {c.value for c in Channel} - {"sms"}),
    ],
)
def test_what_is_done_goes_as_far_as_it_took_long(ran, channels):
    assert set(delays(plan(DONE, ran=ran))) == channels


def test_who_looks_at_the_app_is_told_there_that_it_is_done():
    told = plan(DONE, ran=7200, context={"focused": True, "idle": 0.0})
    assert set(delays(told)) == {"in-app", "webhook", "command", "email"}
    assert "It is seen there" in reason(told, Channel.PHONE)


def test_an_app_in_front_that_nobody_touches_is_not_looked_at():
    told = plan(DONE, ran=7200, context={"focused": True, "idle": 61.0})
    assert {"desktop", "terminal", "phone"} <= set(delays(told))
    assert "not touched for 60 s" in reason(told, Channel.PHONE)


def test_a_closed_app_has_no_terminal():
    told = plan(context={"idle": inf})
    assert "terminal" not in delays(told)
    assert "not open" in reason(told, Channel.TERMINAL)


@pytest.mark.parametrize(
    ("quiet", "moved"),
    [
        (None, {"phone", "sms", "apprise"}),
        (True, {"phone", "sms", "apprise", "desktop", "terminal", "email"}),
        (False, set()),
    ],
)
def test_quiet_hours_hold_for_what_rings_unless_it_is_said(quiet, moved):
    section = {"sms": ALL["sms"] | {"at_least": "low"}}
    section["quiet"] = {} if quiet is None else {"enabled": quiet}
    told = plan(section=section, now=NIGHT)
    at_eight = {step.channel.value for step in told.steps if step.due == MORNING}
    assert at_eight == moved
    critical = plan(section=section, now=NIGHT, priority=Priority.CRITICAL)
    assert MORNING not in [step.due for step in critical.steps]


def test_what_quiet_hours_move_onto_one_moment_is_told_once():
    assert delays(plan(now=NIGHT), NIGHT)["phone"] == [MORNING - NIGHT]


def test_a_cap_of_an_hour_and_of_a_day_puts_it_off():
    hourly = [NOON - 10 * MIN + i for i in range(12)]
    told = plan(context={"sent": {Channel.PHONE: hourly}})
    assert delays(told)["phone"][0] == 50 * MIN
    assert "At most 12 an hour go to the phone" in reason(told, Channel.PHONE)
    daily = [NOON - 23 * HOUR + i for i in range(5)]
    told = plan(priority=Priority.CRITICAL, context={"sent": {Channel.SMS: daily}})
    assert delays(told)["sms"] == [HOUR]


def test_a_digest_gathers_what_is_done():
    section = {"digest": {"enabled": True}}
    told = plan(DONE, section, ran=60)
    assert delays(told)["email"] == [HOUR]
    (step,) = (step for step in told.steps if step.channel is Channel.EMAIL)
    assert step.digest
    assert step.reason == "It ran 60 s. It is in the digest of 13:00."
    assert "in no digest" in reason(plan(DONE, section, ran=29), Channel.EMAIL)
    assert delays(plan(DONE, section, ran=60, now=NIGHT), NIGHT)["email"] == [9 * HOUR]
    assert delays(plan(BLOCKER, section))["email"] == [10 * MIN], "questions do not wait for it"


@pytest.mark.parametrize(
    ("after", "phone", "sms"),
    [
        (After.WAIT, [2 * MIN, HOUR], []),
        (After.REMIND, [2 * MIN, HOUR, 2 * HOUR, 3 * HOUR, 6 * HOUR], []),
        (After.ESCALATE, [2 * MIN, HOUR, 2 * HOUR, 4 * HOUR], [2 * HOUR]),
        (After.DEFAULT, [2 * MIN, HOUR], []),
    ],
)
def test_a_deadline_changes_what_becomes_of_an_unanswered_question(after, phone, sms):
    told = delays(plan(deadline=NOON + 2 * HOUR, after=after))
    assert told["phone"] == phone
    assert told.get("sms", []) == sms


def test_what_is_decided_by_itself_first_does_not_ring():
    told = plan(deadline=NOON + 60, after=After.DEFAULT)
    assert set(delays(told)) == set(NEAR)
    assert "decided by itself after 60 s" in reason(told, Channel.PHONE)


def test_the_settings_of_a_task_go_before_those_of_its_playbook_and_agent():
    section = {
        "unanswered": "wait",
        "deadline": "1m",
        "tasks": {
            "t1": {"deadline": "3m"},
            "playbook:deploy": {"channels": ["phone"], "deadline": "9m"},
            "agent:loud": {"mute": True},
        },
    }
    names = ("t1", "playbook:deploy", "agent:quiet")
    told = plan(section=section, names=names)
    assert delays(told) == {"in-app": [0], "phone": [2 * MIN]}
    assert "told on phone only" in reason(told, Channel.DESKTOP)
    muted = plan(section=section, names=("t2", "agent:loud"))
    assert delays(muted) == {"in-app": [0]}
    assert "mute this task" in reason(muted, Channel.PHONE)
    assert "phone" not in delays(plan(section=section, names=("t3",))), "it waits after 1 min"


def test_durations_are_written_as_elsewhere():
    prefs = read({"phone": {"unanswered_after": "5m", "again": ["1h", "1d"]}, "deadline": "2h"})
    assert (prefs.phone.unanswered_after, prefs.phone.again) == (300, (3600, 86400))
    assert prefs.deadline == 7200
    assert read({"desktop": {"completion_after": "never"}}).desktop.completion_after == inf
    told = plan(DONE, {"desktop": {"completion_after": "never"}}, ran=1e9)
    assert reason(told, Channel.DESKTOP) == "What is done is not announced on the desktop."


@pytest.mark.parametrize(
    ("section", "said"),
    [
        ({"phone": {"enabled": True}}, "notifications.phone`: it is switched on, but lacks topic"),
        (
            {"email": {"enabled": True, "host": "x"}},
            "notifications.email`: it is switched on, but lacks sender and to",
        ),
        ({"email": {"user": "x", "port": 0}}, "port must be a number from 1 to 65535"),
        ({"sms": {"token": "s3cret"}}, "notifications.sms`: token names where the secret is"),
        ({"phone": {"server": "ntfy.sh"}}, "begins with https://"),
        ({"webhook": {"enabled": True}}, "lacks url"),
        ({"command": {"enabled": True}}, "lacks argv"),
        ({"apprise": {"enabled": True}}, "lacks urls"),
        (
            {"phone": {"enabled": True, "topic": "t", "reply_topic": "t"}},
            "reply_topic must not be the topic",
        ),
        ({"phone": {"again": ["1h", "30m"]}}, "one after the other"),
        ({"phone": {"again": ["1m"]}}, "after unanswered_after"),
        ({"phone": {"unanswered_after": "soon"}}, "phone.unanswered_after`: `soon` is not a dur"),
        ({"sms": {"at_least": "urgent"}}, "notifications.sms.at_least`"),
        ({"sms": {"per_day": 0}}, "per_day must be at least 1"),
        ({"unanswered": "shout"}, "notifications.unanswered`"),
        ({"tasks": {"t1": {"channels": ["fax"]}}}, "There is no channel 'fax'"),
        ({"tasks": {"t1": {"muted": True}}}, "tasks.t1.muted`: There is no such setting"),
        ({"tasks": {"stage:x": {}}}, "`stage:x` in tasks is neither"),
        ({"digest": {"at": []}}, "at must name a time of day"),
        ({"digest": {"channels": ["in-app"]}}, "the app lists everything"),
    ],
)
def test_a_mistake_is_said_with_its_place(section, said):
    with pytest.raises(BadInput) as raised:
        read(section)
    assert said in f"{raised.value}"
    assert "s3cret" not in f"{raised.value}"


@given(
    kind=st.sampled_from(NoticeKind),
    priority=st.sampled_from(Priority),
    ran=st.floats(0, 1e6),
    focused=st.sampled_from([True, False, None]),
    idle=st.sampled_from([0.0, 300.0, inf]),
    deadline=st.none() | st.floats(1, 1e5),
    after=st.none() | st.sampled_from(After),
    hour=st.integers(0, 47),
    quiet=st.sampled_from([{}, {"enabled": True}, {"enabled": False}]),
    digest=st.booleans(),
)
def test_every_channel_has_a_reason_and_nothing_is_due_in_the_past(
    kind, priority, ran, focused, idle, deadline, after, hour, quiet, digest
):
    now = NOON + hour * HOUR
    told = plan(
        kind,
        {"quiet": quiet, "digest": {"enabled": digest}},
        now=now,
        context={"focused": focused, "idle": idle},
        priority=priority,
        ran=ran,
        deadline=None if deadline is None else now + deadline,
        after=after,
    )
    assert {step.channel for step in told.steps} == set(Channel)
    for step in told.steps:
        assert step.reason.endswith(".")
        assert len(step.reason) > 10
        assert step.due is None or now <= step.due < inf
    for channel in Channel:
        mine = [step for step in told.steps if step.channel is channel]
        if len(mine) > 1:
            assert kind in (NoticeKind.BLOCKER, NoticeKind.ERROR), "news are told once"
        assert [step.number for step in mine] == list(range(len(mine)))
        dues = [step.due for step in mine]
        assert dues == sorted(dues) or None in dues
        assert len(set(dues)) == len(dues)
