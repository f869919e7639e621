"""What must be true once everything has been answered and has ended."""

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from simulation.rules import AT_REST
from taskhub_tui.storage import rows, seals

if TYPE_CHECKING:
    from simulation.promise import Promise
    from simulation.world import World


class Rest:
    """Looks at one world at its end."""

    def __init__(self, promise: "Promise", world: "World") -> None:
        self._promise = promise
        self._world = world
        self._rows = promise.rows
        self._hold = promise.hold

    def left(self) -> list[str]:
        """Say what has not come to rest yet."""
        found = []
        for said, sql in AT_REST.items():
            if rows := self._rows(sql):
                found.append(f"{said}: {rows}")
        return found

    def at_rest(self) -> None:
        """Check what must be true once everything has come to rest."""
        self._hold(self._rows("PRAGMA integrity_check") == [("ok",)], "the file is damaged")
        self._hold(self._rows("PRAGMA foreign_key_check") == [], "a foreign key is wrong")
        damaged = [*seals.broken(self._promise.reading, rows.BLOCKER_COLUMNS)]
        self._hold(not damaged, f"without any damage: {damaged}")
        for operation, state in self._world.ledger.operations.items():
            task, position, _, attempt = operation.split(":")
            over = state.cancelled or state.lost or state.until <= self._world.loop.now
            given_up = (int(position), int(attempt)) in self._promise.audit.models[task].given_up
            self._hold(over or given_up, f"the operation {operation} was left running")
        sent = {
            n for (n,) in self._rows("SELECT notification_id FROM delivery WHERE sent IS NOT NULL")
        }
        self._hold(
            sent <= self._promise.seen,
            f"{sent - self._promise.seen} were said to be sent, and were not",
        )
        self._notices()
        self._decisions()

    def _notices(self) -> None:
        pairs = {"asked": "blocker", "failed": "error", "completed": "completed"}
        for task, model in self._promise.audit.models.items():
            events = [k for (k,) in self._rows("SELECT kind FROM event WHERE task_n = ?", model.n)]
            notes = [
                k for (k,) in self._rows("SELECT kind FROM notification WHERE task_n = ?", model.n)
            ]
            for event, note in {**pairs, "created": "acknowledged"}.items():
                wanted, found = events.count(event), notes.count(note)
                self._hold(
                    wanted == found,
                    f"{task}: {wanted} times {event}, but {found} notifications",
                )

    def _decisions(self) -> None:
        """Every acknowledged decision is on record once, and no refused one is."""
        made: dict[str, list[Mapping[str, Any]]] = {}
        for task, data in self._rows(
            "SELECT task.id, data FROM event JOIN task ON n = task_n WHERE kind = 'decided'"
        ):
            told = json.loads(data)
            made.setdefault(told.get("text") or "", []).append({**told, "task": task})
        for nonce, (task, blocker, fate) in self._world.decisions.items():
            times = len(made.get(nonce, ()))
            if fate == "taken":
                self._hold(times == 1, f"the decision {nonce} on {task} is there {times} times")
                if blocker is not None:
                    self._hold(
                        made[nonce][0].get("blocker") == blocker,
                        f"the decision {nonce} answered {made[nonce][0].get('blocker')}",
                    )
            elif fate == "refused":
                self._hold(times == 0, f"the decision {nonce} was refused, but is on record")
            else:
                self._hold(times <= 1, f"the decision {nonce} is there {times} times")
        for id_, state, answer in self._rows("SELECT id, state, answer FROM blocker"):
            if state not in ("answered", "expired"):
                continue
            words = json.loads(answer)["text"]
            answers = [told for told in made.get(words or "", ()) if told.get("blocker") == id_]
            self._hold(len(answers) == 1, f"{id_} was answered by {answers}")
