"""Lists of tasks as people want them: their order, their groups, and the views that have a name."""

from array import array
from typing import Any

from taskhub_tui.domain.filtering import Filter
from taskhub_tui.domain.listing import Arranged, Group, Head, Listing, SavedView, Sort
from taskhub_tui.domain.model import Task
from taskhub_tui.storage import filters, rows
from taskhub_tui.storage.queries import Reader
from taskhub_tui.storage.writer import Tx

# Status by status, and each in the order of numbers: nothing but numbers has to be sorted, and the
# index by status has them without the wide rows.
_BITS = 48
"""More than any number of a task needs."""
_PIECE = 32_768
"""Letters of a list of numbers that are read in one go."""
_FIRST = ("blocked", "failed", "in_progress", "paused", "pending")
_GOES_ON = f"status IN {_FIRST}"


def _numbers(reader: Reader, sql: str, values: list[Any]) -> "array[int]":
    """Return a column of numbers.

    As one text: for each row that SQLite gives, Python would wait for its lock.
    """
    (text,) = reader.execute(f"SELECT group_concat(n) FROM ({sql})", values).fetchone()
    found = array("q")
    start, end = 0, len(text or "")
    while start < end:
        # By pieces: as objects all numbers would take ten times as much room.
        stop = text.find(",", start + _PIECE)
        stop = end if stop < 0 else stop
        found.extend(map(int, text[start:stop].split(",")))
        start = stop + 1
    return found


def arranged(reader: Reader, wanted: Listing, now: float) -> Arranged:
    """Return the numbers of the tasks of a listing, in its order."""
    where, values = filters.where(wanted.filter, now)
    if wanted.group is not Group.NONE:
        return _grouped(reader, wanted, where, values)
    if wanted.sort is not Sort.NEEDS:
        order = filters.ORDER[wanted.sort]
        return Arranged(
            _numbers(reader, f"SELECT n FROM task WHERE {where} ORDER BY {order}", values)
        )
    if wanted.filter:
        return Arranged(_ranked(reader, where, values))
    found = array("q")
    known = ", ".join(f"'{status}'" for status in _FIRST)
    for some in (
        filters.RISKY,
        f"(status = 'blocked' AND NOT ({filters.RISKY}))"
        " OR (status = 'in_progress' AND waiting_on = 'user')",
        "status = 'failed'",
        "status = 'in_progress' AND waiting_on IS NOT 'user'",
        "status = 'paused'",
        "status = 'pending'",
        f"status NOT IN ({known}, 'completed', 'cancelled')",  # Damaged: there must be none.
        "status IN ('completed', 'cancelled')",
    ):
        part = _numbers(reader, f"SELECT n FROM task WHERE {some}", [])
        found += array("q", sorted(part, reverse=True))
    return Arranged(found)


def _ranked(reader: Reader, where: str, values: list[Any]) -> "array[int]":
    """Return the numbers of what fits, needs-you first.

    Each row is looked at once. Rank and number come as one number, because sorting numbers here
    takes a third of the time that SQLite needs for rows.
    """
    both = f"(({filters.RANK}) << {_BITS}) - n AS n"
    packed = sorted(_numbers(reader, f"SELECT {both} FROM task WHERE {where}", values))
    mask = (1 << _BITS) - 1
    return array("q", [-one & mask for one in packed])


def _grouped(reader: Reader, wanted: Listing, where: str, values: list[Any]) -> Arranged:
    name, by = filters.GROUP[wanted.group]
    order = filters.ORDER[wanted.sort]
    numbers = _numbers(
        reader, f"SELECT n FROM task WHERE {where} ORDER BY {by}, {name}, {order}", values
    )
    heads = reader.execute(
        f"SELECT {name}, count(*) FROM task WHERE {where} GROUP BY {name} ORDER BY {by}, {name}",
        values,
    ).fetchall()
    return Arranged(numbers, tuple(Head(str(one), count) for one, count in heads))


def tasks(reader: Reader, wanted: Filter, limit: int | None, now: float) -> list[Task]:
    """Return the tasks that fit, needs-you first."""
    where, values = filters.where(wanted, now)
    found: list[Any] = []
    # Two questions instead of one: there is so much of what is over that it must not be sorted.
    for some in (f"{_GOES_ON} ORDER BY {filters.RANK}, n DESC", f"NOT +{_GOES_ON} ORDER BY n DESC"):
        left = -1 if limit is None else limit - len(found)
        found += reader.execute(
            f"SELECT {rows.TASK_COLUMNS} FROM task WHERE ({where}) AND {some} LIMIT ?",
            [*values, left],
        ).fetchall()
    return [rows.task_to_show(row) for row in found]


def existing(reader: Reader) -> "array[int]":
    """Return the numbers of all tasks, in no particular order."""
    return _numbers(reader, "SELECT n FROM task", [])


_KNOWN = {"agent": "agent", "stage": "stage_name", "owner": "owner", "playbook": "playbook"}


def known(reader: Reader) -> dict[str, list[str]]:
    """Return what there is to look for, by field; at most fifty of each."""
    found = {}
    for field, column in _KNOWN.items():
        values = reader.execute(
            f"SELECT {column} FROM task WHERE {column} <> '' GROUP BY {column}"
            " ORDER BY count(*) DESC LIMIT 50"
        ).fetchall()
        found[field] = [str(value) for (value,) in values]
    return found


def views(reader: Reader) -> list[SavedView]:
    """Return the views that have a name, oldest first."""
    found = []
    for name, words, sort, group in reader.execute(
        "SELECT name, filter, sort, grouping FROM saved_view ORDER BY created, name"
    ).fetchall():
        # Another version may know more ways to sort: what we do not know is as if it were not said.
        known_sort = Sort(sort) if sort in set(Sort) else Sort.NEEDS
        known_group = Group(group) if group in set(Group) else Group.NONE
        found.append(SavedView(name, words, known_sort, known_group))
    return found


def save_view(tx: Tx, view: SavedView, now: float) -> None:
    """Keep a view; one of the same name is replaced."""
    tx.execute(
        "INSERT INTO saved_view (name, filter, sort, grouping, created) VALUES (?, ?, ?, ?, ?)"
        " ON CONFLICT (name) DO UPDATE SET name = excluded.name, filter = excluded.filter,"
        " sort = excluded.sort, grouping = excluded.grouping",
        (view.name, view.filter, view.sort.value, view.group.value, now),
    )


def delete_view(tx: Tx, name: str) -> None:
    tx.execute("DELETE FROM saved_view WHERE name = ?", (name,))
