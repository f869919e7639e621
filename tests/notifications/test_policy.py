"""When a person is told, and where; every answer carries its reason."""

import tomllib
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from taskhub_tui.domain.errors import BadInput
from taskhub_tui.domain.model import NoticeKind, Priority
from taskhub_tui.notifications.policy import Channel, Context, Event, Prefs, should_notify
from taskhub_tui.notifications.prefs import read

NOON = datetime(2026, 3, 3, 12, tzinfo=UTC).timestamp()
AWAY = {"focused": False}
IN_FRONT = {"focused": True, "idle": 0.0}
AT_WORK = {"focused": None, "idle": 5.0}
IDLE = {"focused": None, "idle": 60.0}


def desktop(kind: NoticeKind, prefs: Prefs | None = None, *, context=AWAY, now=NOON, **event):
    event = {"at": now, "ran": 600.0} | event
    plan = should_notify(Event(kind, **event), prefs or Prefs(), Context(now=now, **context))
    (step,) = (step for step in plan.steps if step.channel is Channel.DESKTOP)
    return step


@pytest.mark.parametrize(
    ("kind", "context", "event", "delay", "because"),
    [
        (NoticeKind.PROGRESS, AWAY, {}, None, "never interrupts"),
        (NoticeKind.ACKNOWLEDGED, AWAY, {}, None, "where it was given"),
        (NoticeKind.COMPLETED, AWAY, {"ran": 29.9}, None, "shorter than 30 s"),
        (NoticeKind.COMPLETED, AWAY, {"ran": 30.0}, 0, "ran 30 s. The app is not in front"),
        (NoticeKind.COMPLETED, IN_FRONT, {}, None, "in front"),
        (NoticeKind.COMPLETED, AT_WORK, {}, None, "used in the last 60 s"),
        (NoticeKind.COMPLETED, IDLE, {}, 0, "not touched"),
        (NoticeKind.BLOCKER, AWAY, {}, 0, "has to act"),
        (NoticeKind.BLOCKER, IDLE, {}, 0, "not touched"),
        (NoticeKind.BLOCKER, AT_WORK, {}, 60, "unanswered after 60 s"),
        (NoticeKind.BLOCKER, IN_FRONT, {}, 60, "unanswered after 60 s"),
        (NoticeKind.BLOCKER, IN_FRONT, {"priority": Priority.CRITICAL}, 60, "unanswered"),
        (NoticeKind.ERROR, AWAY, {}, 0, "has to act"),
        (NoticeKind.ERROR, IN_FRONT, {}, 60, "unanswered"),
        (NoticeKind.ERROR, AWAY, {"needs_person": False}, None, "repeated by itself"),
    ],
)
def test_the_desktop_is_used_when_it_helps(kind, context, event, delay, because):
    step = desktop(kind, context=context, **event)
    assert step.due == (None if delay is None else NOON + delay)
    assert because in step.reason


@pytest.mark.parametrize("kind", list(NoticeKind))
def test_everything_is_in_the_app_at_once(kind):
    plan = should_notify(Event(kind, NOON - 5), Prefs(), Context(now=NOON))
    assert plan.steps[0][:2] == (Channel.IN_APP, NOON)
    assert plan.sends[0] == (Channel.IN_APP, NOON)


def test_an_event_seen_late_is_due_now_and_not_in_the_past():
    assert desktop(NoticeKind.BLOCKER, at=NOON - 3600).due == NOON
    assert desktop(NoticeKind.BLOCKER, context=IN_FRONT, at=NOON - 45).due == NOON + 15


def test_the_desktop_can_be_switched_off():
    step = desktop(NoticeKind.BLOCKER, read({"desktop": {"enabled": False}}))
    assert (step.due, step.reason) == (
        None,
        "Desktop notifications are switched off in the settings.",
    )


@pytest.mark.parametrize(
    ("clock", "quiet", "priority", "due"),
    [
        ("2026-03-03 23:30", "22:00-08:00", Priority.HIGH, "2026-03-04 08:00"),
        ("2026-03-03 23:30", "22:00-08:00", Priority.CRITICAL, "2026-03-03 23:30"),
        ("2026-03-04 07:59", "22:00-08:00", Priority.NORMAL, "2026-03-04 08:00"),
        ("2026-03-04 08:00", "22:00-08:00", Priority.NORMAL, "2026-03-04 08:00"),
        ("2026-03-04 21:59", "22:00-08:00", Priority.NORMAL, "2026-03-04 21:59"),
        ("2026-03-04 22:00", "22:00-08:00", Priority.NORMAL, "2026-03-05 08:00"),
        ("2026-03-04 13:00", "12:00-14:00", Priority.NORMAL, "2026-03-04 14:00"),
        ("2026-03-04 15:00", "12:00-14:00", Priority.NORMAL, "2026-03-04 15:00"),
        # The night in which the clocks go forward is an hour shorter.
        ("2026-03-28 23:00", "22:00-08:00", Priority.NORMAL, "2026-03-29 08:00"),
    ],
)
def test_quiet_hours_put_off_what_can_wait(clock, quiet, priority, due):
    zone = ZoneInfo("Europe/Berlin")

    def moment(text: str) -> float:
        return datetime.strptime(text, "%Y-%m-%d %H:%M").replace(tzinfo=zone).timestamp()

    start, end = quiet.split("-")
    prefs = read({"quiet": {"enabled": True, "start": start, "end": end}})
    context = AWAY | {"zone": zone}
    step = desktop(NoticeKind.BLOCKER, prefs, context=context, now=moment(clock), priority=priority)
    assert step.due == moment(due)
    assert ("Quiet hours" in step.reason) == (due != clock)


def test_quiet_hours_are_off_unless_asked_for():
    midnight = datetime(2026, 3, 3, tzinfo=UTC).timestamp()
    assert desktop(NoticeKind.BLOCKER, now=midnight).due == midnight


def test_the_seventh_in_a_minute_waits_for_its_turn():
    sent = {Channel.DESKTOP: [NOON - 50, NOON - 40, NOON - 30, NOON - 20, NOON - 10, NOON - 1]}
    step = desktop(NoticeKind.BLOCKER, context=AWAY | {"sent": sent})
    assert step.due == NOON + 10
    assert "At most 6 a minute" in step.reason


def test_news_wait_earlier_than_questions():
    sent = {Channel.DESKTOP: [NOON - 50, NOON - 40, NOON - 30, NOON - 20, NOON - 10]}
    assert desktop(NoticeKind.BLOCKER, context=AWAY | {"sent": sent}).due == NOON
    step = desktop(NoticeKind.COMPLETED, context=AWAY | {"sent": sent}, ran=60)
    assert step.due == NOON + 10
    assert "At most 5 a minute of what is news" in step.reason


@settings(deadline=None)
@given(
    wishes=st.lists(
        st.tuples(st.floats(0, 200), st.booleans(), st.sampled_from([22, 23])), max_size=40
    ),
    cap=st.integers(1, 6),
)
def test_no_minute_ever_holds_more_than_the_cap(wishes, cap):
    prefs = read({"desktop": {"per_minute": cap}, "quiet": {"enabled": True}})
    base = datetime(2026, 3, 3, 21, 58, tzinfo=UTC).timestamp()
    planned: list[float] = []
    now = base
    for step, focused, _ in wishes:
        now += step
        context = Context(now=now, focused=focused, sent={Channel.DESKTOP: tuple(planned)})
        due = dict(should_notify(Event(NoticeKind.BLOCKER, now), prefs, context).sends)
        assert due[Channel.DESKTOP] >= now
        planned.append(due[Channel.DESKTOP])
    for end in planned:
        assert sum(end - 60 + 1e-3 < t <= end for t in planned) <= cap


@settings(deadline=None)
@given(
    kind=st.sampled_from(NoticeKind),
    ran=st.floats(0, 1e6),
    focused=st.sampled_from([True, False, None]),
    idle=st.floats(0, 1e6),
    person=st.booleans(),
)
def test_the_same_question_has_the_same_answer_with_a_reason_for_every_channel(
    kind, ran, focused, idle, person
):
    event = Event(kind, NOON, ran=ran, needs_person=person)
    context = Context(now=NOON, focused=focused, idle=idle)
    plan = should_notify(event, Prefs(), context)
    assert plan == should_notify(event, Prefs(), context)
    assert {step.channel for step in plan.steps} == set(Channel)
    assert all(step.reason.endswith(".") and len(step.reason) > 10 for step in plan.steps)


def test_preferences_are_a_section_of_the_settings_file():
    section = tomllib.loads(
        """
        [notifications]
        idle_after = 90
        [notifications.desktop]
        per_minute = 3
        [notifications.quiet]
        enabled = true
        start = 23:00:00
        end = "07:30"
        """
    )["notifications"]
    prefs = read(section)
    assert (prefs.idle_after, prefs.desktop.per_minute) == (90, 3)
    assert f"{prefs.quiet.start:%H:%M}-{prefs.quiet.end:%H:%M}" == "23:00-07:30"


@pytest.mark.parametrize(
    "section",
    [
        {"colour": "blue"},
        {"desktop": {"per_minut": 3}},
        {"desktop": {"per_minute": 0}},
        {"desktop": {"per_minute": 99999999999999999999}},
        {"desktop": {"unanswered_after": 1e300}},
        {"desktop": {"completion_after": float("nan")}},
        {"idle_after": -1},
        {"idle_after": 1e300},
        {"quiet": {"start": "08:00", "end": "08:00"}},
        {"quiet": {"start": "25:00"}},
        {"quiet": {"start": "22:00+01:00"}},
    ],
)
def test_what_makes_no_sense_in_the_settings_is_refused(section):
    with pytest.raises(BadInput):
        read(section)
