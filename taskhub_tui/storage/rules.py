"""Keeping the always-allow rules, and having them answer."""

import contextlib
import secrets
from collections.abc import Sequence
from typing import Any

from taskhub_tui.domain import ids, lifecycle, rules
from taskhub_tui.domain.errors import BadInput, Damaged, NotLegal
from taskhub_tui.domain.model import Action, Blocker, Decision
from taskhub_tui.domain.rules import Rule, Scope
from taskhub_tui.storage import changes, queries, seals
from taskhub_tui.storage.queries import Reader
from taskhub_tui.storage.writer import Tx

_COLUMNS = "id, scope, value, created, by, channel, revoked, revoked_by, uses, used"


def found(reader: Reader, *, revoked: bool = False) -> list[Rule]:
    """Return the rules that hold, and with `revoked` those that did; the newest first."""
    where = "" if revoked else "WHERE revoked IS NULL"
    return [
        _rule(row)
        for *row, seal in reader.execute(
            f"SELECT {_COLUMNS}, seal FROM rule {where} ORDER BY created DESC, id"
        ).fetchall()
        if seal == _seal(row[0], row[1], row[2])
    ]


def by_id(reader: Reader, prefix: str) -> Rule:
    """Return the one rule whose ID begins with `prefix`.

    Raises:
        BadInput: there is none, or more than one.
    """
    wanted = prefix.strip().lower()
    fit = [one for one in found(reader, revoked=True) if one.id.startswith(wanted)]
    if not wanted or not fit:
        raise BadInput(f"There is no rule `{prefix}`", "`taskhub rules --all` lists them")
    if len(fit) > 1 and fit[0].id != wanted:
        raise BadInput(f"Several rules begin with `{prefix}`", "Give more letters")
    return fit[0]


def add(tx: Tx, scope: Scope, value: str, *, by: str, channel: str, now: float) -> Rule:
    """Make a rule; one that holds already is returned.

    Raises:
        BadInput: there can be no such rule.
    """
    value = rules.checked(scope, value)
    for one in found(tx):
        if (one.scope, one.value) == (scope, value):
            return one
    made = Rule(ids.new_id(secrets.randbelow), scope, value, now, by, channel)
    tx.loud = True
    # One that is damaged must not keep a new one from being made.
    tx.execute(
        "UPDATE rule SET revoked = ?, revoked_by = 'damage' WHERE scope = ? AND value = ?"
        " AND revoked IS NULL",
        (now, scope.value, value),
    )
    tx.execute(
        "INSERT INTO rule (id, scope, value, created, by, channel, seal)"
        " VALUES (?, ?, ?, ?, ?, ?, ?)",
        (made.id, scope.value, value, now, by, channel, _seal(made.id, scope.value, value)),
    )
    return made


def revoke(tx: Tx, rule_id: str, *, by: str, now: float) -> Rule:
    """End a rule; one that was ended already stays as it is.

    Raises:
        BadInput: there is no such rule.
    """
    rule = by_id(tx, rule_id)
    tx.loud = True
    tx.execute(
        "UPDATE rule SET revoked = ?, revoked_by = ? WHERE id = ? AND revoked IS NULL",
        (now, by, rule.id),
    )
    return by_id(tx, rule.id)


def apply(tx: Tx, task_id: str, asked: Blocker, now: float) -> None:
    """Approve, in the transaction that asks it, what a rule always allows."""
    if held := found(tx):
        # Whatever hinders it: the question is open, and a person sees it.
        with contextlib.suppress(NotLegal, BadInput, Damaged):
            _apply(tx, held, task_id, asked, now)


def _apply(tx: Tx, held: Sequence[Rule], task_id: str, asked: Blocker, now: float) -> None:
    task = queries.task_by_id(tx, task_id)
    blocker = queries.open_blocker(tx, task)
    if blocker is None or (blocker.id, blocker.version) != (asked.id, asked.version):
        return
    rule = rules.allowing(held, task, blocker)
    if rule is None:
        return
    choice = next((one.id for one in blocker.choices if one.effect == "approve"), None)
    if blocker.choices and choice is None:
        return
    decision = Decision(Action.APPROVE, by=rule.by, channel="rule", choice=choice, rule=rule.id)
    change = lifecycle.decide(task, queries.stages_of(tx, task), blocker, decision, now)
    changes.write_decided(tx, change, by=rule.by, channel="rule")
    tx.execute("UPDATE rule SET uses = uses + 1, used = ? WHERE id = ?", (now, rule.id))


def _rule(row: list[Any]) -> Rule:
    id_, scope, *rest = row
    return Rule(id_, Scope(scope), *rest)


def _seal(id_: str, scope: str, value: str) -> int:
    return seals.row(id_, (scope, value))
