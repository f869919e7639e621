"""Which tasks were given variables apart: their values are in no backup and in no export."""

import json
from collections.abc import Collection
from typing import NamedTuple

from taskhub_tui.domain.model import Status
from taskhub_tui.domain.variables import NAMES, named
from taskhub_tui.storage.queries import Reader


class Wants(NamedTuple):
    """A task that may run yet, and the variables without which it does not."""

    id: str
    status: Status
    names: tuple[str, ...]


_DONE = (Status.COMPLETED, Status.CANCELLED)
_WANTS = """
    SELECT task.n, id, status, options FROM task WHERE options LIKE :named
     UNION ALL
    SELECT task.n, id, task.status, stage.options FROM stage JOIN task ON task.n = task_n
     WHERE stage.options LIKE :named ORDER BY 1
"""


def wants(reader: Reader, among: Collection[str] | None = None) -> list[Wants]:
    """Return the tasks that need variables, oldest first; of all, or of those with these IDs."""
    found: dict[str, Wants] = {}
    for _, id_, status, options in reader.execute(_WANTS, {"named": f'%"{NAMES}"%'}).fetchall():
        if status in _DONE or (among is not None and id_ not in among):
            continue
        try:
            table = json.loads(options)
        except ValueError:
            continue  # It is damaged, and whoever runs it is told so.
        before = found[id_].names if id_ in found else ()
        if isinstance(table, dict) and (names := dict.fromkeys([*before, *named(table)])):
            found[id_] = Wants(id_, Status(status), tuple(names))
    return list(found.values())
