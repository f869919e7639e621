"""Taking a person's decision: what it may say, and what its one transaction does."""

from collections.abc import Sequence

from taskhub_tui.domain import durations, lifecycle
from taskhub_tui.domain.errors import AlreadyDecided, NotLegal
from taskhub_tui.domain.evolve import replace
from taskhub_tui.domain.model import Action, Blocker, Decision, StageSpec, Status, Task, WaitingOn
from taskhub_tui.domain.modify import Known
from taskhub_tui.planning import REQUEST_LIMIT, check_options
from taskhub_tui.storage import changes, lanes, queries
from taskhub_tui.storage.writer import Tx
from taskhub_tui.text import clean, one_line


def cleaned(decision: Decision) -> Decision:
    """Return a decision with its words as they may be kept and shown.

    Raises:
        BadInput: its values are too many, or none that can be kept.
    """
    values = dict(decision.data)
    check_options(values)
    for key, limit in (("title", 120), ("request", REQUEST_LIMIT)):
        if isinstance(words := values.get(key), str):
            values[key] = one_line(words, limit) if key == "title" else clean(words, limit)
    text = clean(decision.text, REQUEST_LIMIT).strip() if decision.text else None
    return replace(decision, text=text or None, data=values)


def take(
    tx: Tx,
    task: Task,
    decision: Decision,
    now: float,
    *,
    plan: Sequence[StageSpec],
    known: Known | None,
    blocker_id: str | None,
    version: int | None,
    write: bool = True,
) -> None:
    """Write what `decision` makes of the task, unless it was decided or has changed meanwhile.

    Args:
        task: as the database has it; for RETRY, with `waiting_on` as people see it.
        plan, known: as for `lifecycle.decide`.
        blocker_id, version: the question that the person saw, if any.
        write: False only finds out whether it would be taken; `tx` may be a reader then.

    Raises:
        AlreadyDecided: somebody was faster, or the question has changed.
        NotLegal: the decision does not fit the state of the task.
        BadInput: the decision lacks something, or names what does not exist.
    """
    action = decision.action
    # Of a task that runs, its worker holds a sound copy; and to end one takes none. Nothing goes
    # on from one that is over.
    goes_on = task.status not in (Status.COMPLETED, Status.CANCELLED)
    checked = goes_on and task.status is not Status.IN_PROGRESS and action is not Action.CANCEL
    stages = queries.stages_of(tx, task, checked=checked)
    blocker = queries.open_blocker(tx, task, checked=checked)
    if blocker_id is not None:
        _check_question(tx, task, blocker, blocker_id, version, now)
    try:
        change = lifecycle.decide(task, stages, blocker, decision, now, plan, known)
    except NotLegal as refused:
        if (late := _too_late(tx, task, now, None)) is not None:
            raise AlreadyDecided(f"{late}; {refused}", refused.hint) from None
        raise
    if not write:
        return
    changes.write_decided(tx, change, by=decision.by, channel=decision.channel)
    if action is Action.RETRY and task.waiting_on is WaitingOn.PROVIDER:
        # Whoever wants it now wants to know whether the provider takes it now.
        lanes.unlimit(tx, change.task.stage_agent)


def _check_question(
    tx: Tx, task: Task, blocker: Blocker | None, blocker_id: str, version: int | None, now: float
) -> None:
    if blocker is None or blocker.id != blocker_id:
        late = _too_late(tx, task, now, blocker_id)
        raise AlreadyDecided(late or "This question is not open any more")
    if version is not None and blocker.version != version:
        raise AlreadyDecided(
            "The question has changed since it was shown", "Look at it again, then decide"
        )


def _too_late(tx: Tx, task: Task, now: float, blocker_id: str | None) -> str | None:
    """Say who decided last, on this question or at all; None when nobody did."""
    for event in reversed(queries.events(tx, task)):
        if event.kind != "decided" or blocker_id not in (None, event.data.get("blocker")):
            continue
        action = event.data.get("action")
        if "blocker" not in event.data and action in (Action.PROVIDE_CONTEXT, Action.MODIFY):
            continue  # It settled nothing.
        ago = durations.spell(now - event.at)
        where = f" ({event.channel})" if event.channel else ""
        name = Action(str(action)).name
        return f"Too late: {event.by}{where} chose {name} {ago} ago"
    return None
