"""What a notification says on a channel: one of them, or many told as one."""

from collections import Counter
from collections.abc import Sequence

from taskhub_tui.domain.durations import spell
from taskhub_tui.domain.model import Action, NoticeKind, Notification, Task
from taskhub_tui.notifications.message import Message
from taskhub_tui.storage.outbox import Delivery, Parcel, key_of
from taskhub_tui.text import one_line

_BUTTONS = {
    Action.APPROVE: "Approve",
    Action.DENY: "Deny",
    Action.RETRY: "Retry",
    Action.CANCEL: "Cancel task",
}
"""Decisions that need no words; the others are made in the app."""
_HEAD = {
    NoticeKind.BLOCKER: "Needs you",
    NoticeKind.ERROR: "Failed",
    NoticeKind.COMPLETED: "Done",
    NoticeKind.PROGRESS: "Progress",
    NoticeKind.ACKNOWLEDGED: "Started",
}
_MANY = {
    NoticeKind.BLOCKER: ("1 task needs you", "{} tasks need you"),
    NoticeKind.ERROR: ("1 task failed", "{} tasks failed"),
    NoticeKind.COMPLETED: ("1 task is done", "{} tasks are done"),
    NoticeKind.PROGRESS: ("1 task goes on", "{} tasks go on"),
    NoticeKind.ACKNOWLEDGED: ("1 task was taken in", "{} tasks were taken in"),
}
_LISTED = 10
"""Most tasks that one message names."""


def message(note: Notification, task: Task, now: float, key: str = "") -> Message:
    """Return what a channel shows of a notification."""
    asks = note.kind in (NoticeKind.BLOCKER, NoticeKind.ERROR)
    place = f"{task.stage + 1}/{task.stages} {task.stage_name}" if task.stage_name else ""
    facts = [part for part in (place, f"task {task.id}", _age(note, now)) if part]
    lines = [note.body[:600]]
    if note.kind is NoticeKind.COMPLETED and task.result:
        lines.append(f"Result: {task.result}")
    lines.append(" · ".join(facts))
    buttons = tuple(
        (action.value, _BUTTONS[action]) for action in note.actions if action in _BUTTONS
    )
    return Message(
        key or key_of(note.id),
        f"{_HEAD[note.kind]}: {task.title}",
        "\n".join(lines),
        buttons,
        urgent=asks and task.priority > 0,
        reply=Action.PROVIDE_CONTEXT in note.actions and note.kind is NoticeKind.BLOCKER,
    )


def parcel(what: Parcel, now: float) -> Message:
    """Return the message that tells of one delivery, or of many at once."""
    first = what.deliveries[0]
    if len(what.deliveries) == 1:
        return message(first.notification, first.task, now, what.key)
    told = _by_task(what.deliveries)
    counts = Counter(one.notification.kind for one in told)
    title = ", ".join(
        _MANY[kind][counts[kind] > 1].format(counts[kind]) for kind in NoticeKind if counts[kind]
    )
    lines = [_line(one, now) for one in told[:_LISTED]]
    if len(told) > _LISTED:
        lines.append(f"… and {len(told) - _LISTED} more")
    urgent = any(
        one.task.priority > 0 and one.notification.kind is not NoticeKind.COMPLETED for one in told
    )
    return Message(what.key, title[:1].upper() + title[1:], "\n".join(lines), urgent=urgent)


def _by_task(deliveries: Sequence[Delivery]) -> list[Delivery]:
    """Return one for each notification: its first and second time may be told together."""
    return list({one.notification.id: one for one in deliveries}.values())


def _line(one: Delivery, now: float) -> str:
    words = one_line(one.notification.body, 80)
    facts = " · ".join(part for part in (one.task.id, _age(one.notification, now)) if part)
    head = f"{_HEAD[one.notification.kind]}: {one_line(one.task.title, 60)} ({facts})"
    return f"{head}: {words}" if words else head


def _age(note: Notification, now: float) -> str:
    waited = now - note.created
    return f"since {spell(waited)}" if waited >= 60 else ""
