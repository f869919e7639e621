"""The same tasks in Textual's DataTable, kept up to date from the same file ten times a second."""

import sqlite3
import sys

from textual.app import App, ComposeResult
from textual.widgets import DataTable, Label

EVERY = 0.1


class Rows(App[None]):
    """Says `cur=` and the place of the cursor in its first line."""

    def __init__(self, database: str) -> None:
        super().__init__()
        self._file = sqlite3.connect(f"file:{database}?mode=ro", uri=True)
        self._seq = 0

    def compose(self) -> ComposeResult:
        yield Label("READY", id="where")
        yield DataTable(cursor_type="row")

    def on_mount(self) -> None:
        table = self.query_one(DataTable)
        for name in ("status", "progress", "title", "agent"):
            table.add_column(name, key=name)
        for n, *row in self._file.execute(
            "SELECT n, status, fraction, title, agent FROM task"
            " ORDER BY status <> 'in_progress', n DESC"
        ):
            table.add_row(row[0], _bar(row[1]), row[2], row[3], key=str(n))
        (self._seq,) = self._file.execute("SELECT seq FROM meta").fetchone()
        table.focus()
        self.set_interval(EVERY, self._look)

    def _look(self) -> None:
        table = self.query_one(DataTable)
        (seq,) = self._file.execute("SELECT seq FROM meta").fetchone()
        if seq != self._seq:
            for n, fraction in self._file.execute(
                "SELECT n, fraction FROM task WHERE seq > ?", (self._seq,)
            ).fetchall():
                table.update_cell(str(n), "progress", _bar(fraction))
            self._seq = seq

    def on_data_table_row_highlighted(self, event: DataTable.RowHighlighted) -> None:
        self.query_one("#where", Label).update(f"cur={event.cursor_row}.")


def _bar(fraction: float | None) -> str:
    full = round(8 * (fraction or 0.0))
    return "━" * full + "─" * (8 - full) + f" {round(100 * (fraction or 0.0)):3d}%"


Rows(sys.argv[1]).run()
