"""A filter, a sort and a grouping, as questions to SQLite. Values are always parameters."""

from typing import Any

from taskhub_tui.domain.filtering import NEEDS, STALLED, STATES, Filter, Term, Value
from taskhub_tui.domain.listing import Group, Sort
from taskhub_tui.domain.model import Priority

Sql = tuple[str, list[Any]]

_SINCE = (
    "CASE status WHEN 'in_progress' THEN coalesce(nullif(started, 0), changed)"
    " WHEN 'completed' THEN coalesce(nullif(ended, 0), changed)"
    " WHEN 'failed' THEN coalesce(nullif(ended, 0), changed)"
    " WHEN 'cancelled' THEN coalesce(nullif(ended, 0), changed)"
    " WHEN 'pending' THEN created ELSE changed END"
)
_RISKY = "n IN (SELECT task_n FROM blocker WHERE state = 'open' AND risk = 'high')"
RISKY = f"status = 'blocked' AND {_RISKY}"
"""A person is asked something of high risk."""
# Needs-you first, of high risk before the rest; then what went wrong, what runs, what waits, and
# what is over.
RANK = (
    f"CASE status WHEN 'blocked' THEN NOT ({_RISKY}) WHEN 'failed' THEN 2"
    " WHEN 'in_progress' THEN CASE waiting_on WHEN 'user' THEN 1 ELSE 3 END"
    " WHEN 'paused' THEN 4 WHEN 'pending' THEN 5 ELSE 6 END"
)
ORDER = {
    Sort.NEEDS: f"{RANK}, n DESC",
    Sort.AGE: f"{_SINCE} DESC, n DESC",
    Sort.PROGRESS: "fraction IS NULL, fraction DESC, n DESC",
    # What is unknown, as nothing runs or it is silent, comes last.
    Sort.LEFT: "status <> 'in_progress' OR eta IS NULL OR silent_since IS NOT NULL, eta, n DESC",
    Sort.TITLE: "title COLLATE NOCASE, n DESC",
    Sort.AGENT: f"agent COLLATE NOCASE, {RANK}, n DESC",
    Sort.PRIORITY: f"priority DESC, {RANK}, n DESC",
}
# By whose turn it is, so that the heads stand in the same order as the rows without them.
STATUS_GROUP = (
    "CASE status WHEN 'blocked' THEN 'needs' WHEN 'in_progress' THEN CASE waiting_on WHEN 'user'"
    " THEN 'needs' ELSE 'running' END WHEN 'pending' THEN 'queued' WHEN 'completed' THEN 'done'"
    " ELSE status END"
)
GROUP = {
    Group.STATUS: (STATUS_GROUP, f"CASE status WHEN 'cancelled' THEN 7 ELSE max(1, {RANK}) END"),
    Group.AGENT: ("agent", "agent COLLATE NOCASE, agent"),
    Group.PLAYBOOK: (
        "coalesce(playbook, '')",
        "playbook IS NULL, playbook COLLATE NOCASE, playbook",
    ),
}
"""What names a group, and what puts the groups in order."""


def where(wanted: Filter, now: float) -> Sql:
    """Return the condition of a filter, without `WHERE`; "1" when there is none."""
    parts, values = [], []
    for term in wanted.terms:
        part, more = _term(term, now)
        parts.append(part)
        values += more
    return " AND ".join(parts) or "1", values


def _term(term: Term, now: float) -> Sql:
    if term.field == "status" and not {NEEDS, STALLED} & set(term.values):
        # One list, for which the index by status is used.
        names = sorted({status.value for word in term.values for status in STATES[str(word)]})
        verb = "NOT IN" if term.inverse else "IN"
        return f"status {verb} ({', '.join('?' * len(names))})", [*names]
    parts, values = [], []
    for value in term.values:
        part, more = _value(term.field, value, now)
        parts.append(part)
        values += more
    found = parts[0] if len(parts) == 1 else "(" + " OR ".join(parts) + ")"
    # What is NULL fits nothing, and so it fits the inverse.
    return (f"NOT coalesce({found}, 0)" if term.inverse else found), values


def _any(columns: tuple[str, ...], text: str, before: str = "") -> Sql:
    verb, pattern = "LIKE ?", text
    if any(sign in text for sign in "%_\\"):
        # Only where it is needed: with an escape character LIKE takes twice the time.
        verb += " ESCAPE '\\'"
        pattern = text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
    pattern = before + pattern + "%"
    parts = [f"{column} {verb}" for column in columns]
    found = parts[0] if len(parts) == 1 else "(" + " OR ".join(parts) + ")"
    return found, [pattern] * len(columns)


_STALLED = "(status = 'in_progress' AND waiting_on = 'user')"
_BEGINS = {
    "agent": ("agent", "stage_agent"),
    "owner": ("owner",),
    "playbook": ("playbook",),
    "id": ("id",),
}
_WORDS = ("title", "request", "agent", "id", "note")


def _value(field: str, value: Value, now: float) -> Sql:
    if isinstance(value, Priority):
        return "priority = ?", [int(value)]
    if isinstance(value, str):
        if field == "word":
            return _any(_WORDS, value, "%")
        if field == "stage":
            return _any(("stage_name",), value, "%")
        if field != "status":
            return _any(_BEGINS[field], value)
        if value == NEEDS:
            return f"(status = 'blocked' OR {_STALLED})", []
        if value == STALLED:
            return _STALLED, []
        names = sorted(status.value for status in STATES[value])
        return f"status IN ({', '.join('?' * len(names))})", [*names]
    if field == "ran":
        verb = "<" if value < 0 else ">="
        return f"coalesce(ended, ?) - started {verb} ?", [now, abs(value)]
    verb = ">" if field == "older" else "<"
    return f"? - {_SINCE} {verb} ?", [now, value]
