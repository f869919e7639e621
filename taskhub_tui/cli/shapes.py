"""The JSON of every command. These keys are stable: new ones may come, none goes or changes.

Times are ISO 8601 strings in UTC, durations are seconds, unknown is null.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from taskhub_tui.cli.output import iso

if TYPE_CHECKING:
    from taskhub_tui.domain.audit import Entry
    from taskhub_tui.domain.model import (
        AgentCard,
        Artifact,
        Blocker,
        Event,
        Notification,
        Stage,
        StageSpec,
        Task,
        TaskView,
    )
    from taskhub_tui.domain.rules import Rule
    from taskhub_tui.domain.telling import Told
    from taskhub_tui.domain.views import Copy, Imported, LogRun, Pruned, Restored, WorkerInfo
    from taskhub_tui.domain.waiting import Waiting

Shape = dict[str, Any]


def task(it: Task) -> Shape:
    return {
        "id": it.id,
        "title": it.title,
        "status": it.status.value,
        "waiting_on": it.waiting_on.value if it.waiting_on else None,
        "agent": it.agent,
        "playbook": it.playbook,
        "priority": it.priority.name.lower(),
        "owner": it.owner,
        "stage": it.stage,
        "stages": it.stages,
        "stage_name": it.stage_name,
        "fraction": it.fraction,
        "note": it.note,
        "eta": iso(it.eta),
        "created": iso(it.created),
        "changed": iso(it.changed),
        "started": iso(it.started),
        "ended": iso(it.ended),
        "not_before": iso(it.ready_at) if it.ready_at > it.created else None,
        "deadline": iso(it.deadline),
        "silent_since": iso(it.silent_since),
        "workdir": it.workdir,
        "error": it.error,
        "summary": it.summary,
        "result": it.result,
    }


def stage(it: Stage) -> Shape:
    return {
        "position": it.position,
        "name": it.name,
        "agent": it.agent,
        "status": it.status.value,
        "attempt": it.attempt,
        "fraction": it.fraction,
        "note": it.note,
        "gate": it.gate,
        "review": it.review,
        "weight": it.weight,
        "timeout": it.timeout,
        "retries": it.retries,
        "retry_delay": it.retry_delay,
        "on_interrupt": it.on_interrupt,
        "stall": it.stall,
        "started": iso(it.started),
        "ended": iso(it.ended),
        "error": it.error,
        "output": dict(it.output) if it.output is not None else None,
    }


def blocker(it: Blocker) -> Shape:
    return {
        "id": it.id,
        "version": it.version,
        "stage": it.stage,
        "kind": it.kind.value,
        "question": it.question,
        "choices": [
            {"id": choice.id, "label": choice.label, "effect": choice.effect}
            for choice in it.choices
        ],
        "detail": dict(it.detail),
        "risk": it.risk,
        "created": iso(it.created),
        "deadline": iso(it.deadline),
        "default": it.default.value if it.default else None,
    }


def artifact(it: Artifact) -> Shape:
    return {
        "name": it.name,
        "path": it.path,
        "media_type": it.media_type,
        "size": it.size,
        "stage": it.stage,
        "created": iso(it.created),
    }


def event(it: Event) -> Shape:
    return {
        "at": iso(it.at),
        "kind": it.kind,
        "stage": it.stage,
        "by": it.by,
        "channel": it.channel,
        "data": dict(it.data),
    }


def view(it: TaskView, events: list[Event] | None = None) -> Shape:
    """A task with all that belongs to it."""
    whole = task(it.task) | {
        "request": it.task.request,
        "options": dict(it.task.options),
        "context": list(it.task.context),
        "after": list(it.after),
        "stage_list": [stage(one) for one in it.stages],
        "blocker": blocker(it.blocker) if it.blocker else None,
        "artifacts": [artifact(one) for one in it.artifacts],
        "legal": [action.value for action in it.legal],
    }
    if events is not None:
        whole["events"] = [event(one) for one in events]
    return whole


def log_lines(it: LogRun) -> list[Shape]:
    at = iso(it.at)
    return [{"at": at, "stream": it.stream, "text": text} for text in it.text.split("\n")]


def notification(it: Notification) -> Shape:
    return {
        "id": it.id,
        "task": it.task_id,
        "kind": it.kind.value,
        "title": it.title,
        "body": it.body,
        "created": iso(it.created),
        "actions": [action.value for action in it.actions],
        "read": iso(it.read),
        "withdrawn": iso(it.withdrawn),
    }


def audited(it: Entry) -> Shape:
    return {
        "at": iso(it.at),
        "what": it.what,
        "task": it.task_id,
        "title": it.title or None,
        "action": it.action or None,
        "by": it.by or None,
        "channel": it.channel or None,
        "from": it.peer,
        "text": it.text,
        "refused": it.verdict or None,
        "question": it.question or None,
        "shown": it.shown,
        "rule": it.rule,
        "rule_words": it.rule_words,
        "times": it.times,
    }


def waiting(it: Waiting) -> Shape:
    return {
        "task": it.task.id,
        "title": it.task.title,
        "need": it.need.value,
        "since": iso(it.since),
        "due": iso(it.due),
        "risk": it.blocker.risk if it.blocker else None,
        "error": it.task.error if it.blocker is None else None,
        "blocker": blocker(it.blocker) if it.blocker else None,
        "legal": [action.value for action in it.legal],
    }


def rule(it: Rule) -> Shape:
    return {
        "id": it.id,
        "scope": it.scope.value,
        "value": it.value,
        "created": iso(it.created),
        "by": it.by,
        "channel": it.channel,
        "revoked": iso(it.revoked),
        "revoked_by": it.revoked_by,
        "uses": it.uses,
        "used": iso(it.used),
    }


def told(it: Told) -> Shape:
    return {
        **notification(it.notification),
        "told": [
            {
                "channel": one.channel,
                "due": iso(one.due),
                "state": one.state,
                "sent": iso(one.sent),
                "error": one.error,
                "why": one.reason,
            }
            for one in it.tellings
        ],
    }


def worker(it: WorkerInfo) -> Shape:
    return {
        "id": it.id,
        "pid": it.pid,
        "host": it.host,
        "started": iso(it.started),
        "seen": iso(it.seen),
        "alive": it.alive,
        "here": it.here,
        "version": it.version,
    }


def agent(it: AgentCard) -> Shape:
    return {
        "name": it.name,
        "title": it.title,
        "description": it.description,
        "capabilities": sorted(it.capabilities),
        "stages": [one.name for one in it.stages],
        "options": dict(it.options),
        "problem": it.problem,
    }


def planned(it: StageSpec) -> Shape:
    """A stage as a playbook asks for it."""
    return {
        "name": it.name,
        "agent": it.agent,
        "gate": it.gate,
        "review": it.review,
        "weight": it.weight,
        "timeout": it.timeout,
        "retries": it.retries,
        "retry_delay": it.retry_delay,
        "on_interrupt": it.on_interrupt,
        "stall": it.stall,
    }


def copy(it: Copy) -> Shape:
    return {"path": it.path, "made": iso(it.made), "size": it.size, "sound": it.sound}


def restored(it: Restored) -> Shape:
    return {
        "copy": it.copy,
        "aside": it.aside,
        "paused": it.paused,
        "notes": list(it.notes),
        "damaged": it.damaged or None,
    }


def pruned(it: Pruned) -> Shape:
    return {
        "tasks": [
            {"id": one.id, "title": one.title, "status": one.status.value, "ended": iso(one.ended)}
            for one in it.tasks
        ],
        "events": it.events,
        "log_bytes": it.log,
        "run_folders": it.folders,
        "bytes": it.size,
    }


def imported(it: Imported) -> Shape:
    return {
        "tasks": list(it.tasks),
        "skipped": list(it.skipped),
        "paused": it.paused,
        "notes": list(it.notes),
    }
