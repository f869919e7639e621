"""Reading the audit trail: decisions, answers from outside, and rules, in one order."""

from collections.abc import Sequence
from typing import Any

from taskhub_tui.domain import audit
from taskhub_tui.domain.audit import Entry
from taskhub_tui.domain.model import Task
from taskhub_tui.domain.rules import Rule, words
from taskhub_tui.storage import rows, rules
from taskhub_tui.storage.queries import Reader

_DECIDED = """
    SELECT at, task_n, task.id, task.title, by, channel, data FROM event
      JOIN task ON task.n = task_n
     WHERE kind = 'decided' {where} ORDER BY event.id DESC LIMIT ?
"""
_ATTEMPTS = """
    SELECT at, task_n, task.id, task.title, channel, peer, recipient, action, verdict, text,
           shown, times, blocker_id
      FROM answer_attempt LEFT JOIN task ON task.n = task_n
     WHERE 1 {where} ORDER BY answer_attempt.id DESC LIMIT ?
"""


def entries(reader: Reader, task: Task | None, limit: int) -> list[Entry]:
    """Return the latest entries, of one task or of all, the newest first."""
    where, values = ("", ()) if task is None else ("AND task_n = ?", (task.n,))
    known = {one.id: one for one in rules.found(reader, revoked=True)}
    came: dict[tuple[int, float], Sequence[Any]] = {}
    found: list[Entry] = []
    for row in reader.execute(_ATTEMPTS.format(where=where), (*values, limit)).fetchall():
        at, n, task_id, title, channel, peer, to, action, verdict, text, shown, times, asked = row
        starts = action.startswith("next-")
        if verdict == "taken" and not starts:
            came[n, at] = row
            continue
        question = _question(reader, n, asked, None)[0] if asked else ""
        what = {"again": "asked again", "taken": "started"}.get(verdict, "refused")
        found.append(
            Entry(
                at, what, to, channel, task_id, title or "", action, text, verdict, peer,
                question, shown, times=times,
            )
        )  # fmt: skip
    for at, n, task_id, title, by, channel, raw in reader.execute(
        _DECIDED.format(where=where), (*values, limit)
    ).fetchall():
        data = rows.load(raw)
        outside = came.get((n, at))
        question, shown = "", None
        if asked := data.get("blocker"):
            question, shown = _question(reader, n, asked, data.get("version"))
        peer = None
        if outside is not None:
            peer, shown = outside[5], outside[10] or shown
        rule = known.get(data.get("rule", ""))
        found.append(
            Entry(
                at, "decided", by, channel, task_id, title, data.get("action", ""),
                _said(data), "", peer, question, shown, data.get("rule"),
                words(rule.scope, rule.value) if rule is not None else None,
            )
        )  # fmt: skip
    if task is None:
        found += [entry for one in known.values() for entry in _of_rule(one)]
    return sorted(found, key=lambda one: one.at, reverse=True)[:limit]


def _said(data: dict[str, Any]) -> str | None:
    """Return all that a decision says besides its name."""
    parts = [data.get("text"), data.get("choice") and f"choice: {data['choice']}"]
    parts.append(data.get("agent") and f"to: {data['agent']}")
    if changed := data.get("data"):
        parts.append(rows.dump(changed))
    return "\n".join(str(part) for part in parts if part) or None


def _of_rule(rule: Rule) -> list[Entry]:
    said = words(rule.scope, rule.value)
    made = Entry(rule.created, "rule made", rule.by, rule.channel, rule=rule.id, rule_words=said)
    if rule.revoked is None:
        return [made]
    by = rule.revoked_by or ""
    return [made, Entry(rule.revoked, "rule revoked", by, "", rule=rule.id, rule_words=said)]


def _question(reader: Reader, n: int, asked: str, version: int | None) -> tuple[str, str | None]:
    """Return a question, and all that it showed in this version."""
    row = reader.execute(
        "SELECT question, detail, version FROM blocker WHERE id = ? AND task_n = ?", (asked, n)
    ).fetchone()
    if row is not None and version in (None, row[2]):
        return row[0], audit.shown(row[0], rows.load(row[1]))
    # Asked anew since: the history has how it was asked each time.
    told = [
        data
        for (raw,) in reader.execute(
            "SELECT data FROM event WHERE task_n = ? AND kind = 'asked' ORDER BY id", (n,)
        ).fetchall()
        if (data := rows.load(raw)).get("blocker") == asked
    ]
    if version is None or not 0 < version <= len(told):
        return "", None
    one = told[version - 1]
    return one.get("question", ""), audit.shown(one.get("question", ""), one.get("detail") or {})
