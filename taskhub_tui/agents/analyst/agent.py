"""The analyst as an agent: stages, questions to a person, and work in a thread."""

import asyncio
import threading
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

from taskhub_tui.agents.analyst import card as cards
from taskhub_tui.agents.analyst import dates, files, markdown
from taskhub_tui.agents.analyst.work import Desk, Facts, GivenUp
from taskhub_tui.agents.port import (
    Agent,
    AgentError,
    Answer,
    Artifact,
    Blocker,
    BlockerKind,
    Choice,
    Result,
    Stage,
    StageContext,
)
from taskhub_tui.text import one_line

T = TypeVar("T")
_PRODUCTS = {
    "ingest": ("ingest.json", "prices.parquet"),
    "quality": ("quality.json", "grid.parquet"),
    "trends": ("trends.json",),
    "risk": ("risk.json",),
}


class Analyst:
    """Carries out one of the five stages, or all of them where a stage has another name."""

    def __init__(self) -> None:
        self.card = cards.make_card()

    async def run(self, stage: Stage, ctx: StageContext) -> Result:
        """Do the stage named by `stage.stage_id`.

        What an earlier stage should have left and did not is made first, so that a stage can be
        used alone.
        """
        if ctx.stop == "cancel":
            return Result()
        if problem := cards.missing_libraries():
            raise AgentError(problem)
        last = stage.stage_id if stage.stage_id in cards.STEPS else cards.STEPS[-1]
        plan = _plan(stage, last)
        result = Result()
        for n, step in enumerate(plan):
            result = await _Run(stage, ctx, n / len(plan), 1 / len(plan)).step(step)
        ctx.progress(1.0, "done")
        # The words are shown as they are; only the report is Markdown.
        return replace(result, text=markdown.plain(result.text))


def _plan(stage: Stage, last: str) -> list[str]:
    """The steps to do now: the last one, and those before it that left nothing behind."""
    if stage.stage_id not in cards.STEPS:
        return list(cards.STEPS)
    before = cards.STEPS[: cards.STEPS.index(last)]
    for n, step in enumerate(before):
        if not all((stage.datadir / name).is_file() for name in _PRODUCTS[step]):
            return [*before[n:], last]
    return [last]


class _Run:
    """One step of one stage."""

    def __init__(self, stage: Stage, ctx: StageContext, start: float, share: float) -> None:
        self.stage = stage
        self.ctx = ctx
        self._start, self._share = start, share
        self._loop = asyncio.get_running_loop()
        self._stopped = threading.Event()
        self.desk = Desk(
            stage.datadir,
            stage.outdir,
            lambda text: self._from_thread(ctx.log, one_line(text, 1000)),
            lambda done, note: self._from_thread(
                ctx.progress, start + share * done, one_line(note, 120)
            ),
            self._stopped,
        )

    async def step(self, name: str) -> Result:
        steps: dict[str, Callable[[], Any]] = {
            "ingest": self._ingest,
            "quality": self._quality,
            "trends": self._trends,
            "risk": self._risk,
            "report": self._report,
        }
        self.ctx.progress(self._start, name)
        result: Result = await steps[name]()
        return result

    async def _thread(self, work: Callable[[], T]) -> T:
        """Run in a thread. When the task is cancelled the thread leaves at its next check."""
        try:
            return await asyncio.to_thread(work)
        except GivenUp as error:  # only after a cancellation
            raise asyncio.CancelledError from error
        except MemoryError as error:
            raise AgentError(
                "There is not enough memory for this file. Cut it to the dates or instruments "
                "you need, or close other programs, then retry."
            ) from error
        except asyncio.CancelledError:
            self._stopped.set()
            raise

    def _from_thread(self, call: Callable[..., None], *args: object) -> None:
        if not self._stopped.is_set() and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._deliver, call, args)

    def _deliver(self, call: Callable[..., None], args: tuple[object, ...]) -> None:
        if not self._stopped.is_set():
            call(*args)

    async def _ask(
        self, key: str, question: str, choices: tuple[Choice, ...], **detail: Any
    ) -> str:
        """The chosen ID, or what was written.

        Raises:
            AgentError: the person declined.
        """
        answer: Answer = await self.ctx.ask(
            Blocker(key, BlockerKind.INPUT, one_line(question, 1500), choices, detail)
        )
        said = (answer.choice or answer.text or "").strip()
        if answer.action != "accept" or not said:
            raise AgentError(
                f"The question was not answered: {one_line(question, 200)} "
                "Retry and answer it, or set the option that answers it."
            )
        return said

    # ---- ingest

    async def _ingest(self) -> Result:
        from taskhub_tui.agents.analyst import reader

        options = self.stage.options
        max_mb = files.limit_of(options.get("max_mb"), cards.DEFAULT_MAX_MB)
        path = await self._which_file()
        size = await self._thread(lambda: files.check(path, max_mb))
        self.ctx.log(f"Reading {one_line(str(path))} ({files.megabytes(size)})")
        today = datetime.now(UTC).date()
        column = str(options["column"]) if options.get("column") else None
        order: dates.Order | None = None

        def work() -> reader.Read:
            self.desk.datadir.mkdir(parents=True, exist_ok=True, mode=0o700)
            return reader.read(
                path,
                self.desk.data(f"source.{threading.get_ident()}.part"),
                max_mb,
                today,
                order=order,
                column=column,
                check=self.desk.check,
            )

        try:
            found = await self._thread(work)
        except dates.Ambiguous as unclear:
            order = await self._which_order(unclear, path)
            found = await self._thread(work)
        facts: Facts = {**found.facts, "names": found.names, "size": size, "today": str(today)}

        def write() -> None:
            with self.desk.replacing(self.desk.data("prices.parquet")) as part:
                found.prices.write_parquet(part)
            self.desk.write_json(self.desk.data("ingest.json"), facts)

        await self._thread(write)
        text = (
            f"Read {facts['prices']:,} prices of "
            f"{markdown.several(facts['instruments'], 'instrument')} "
            f"from {markdown.safe(facts['name'])}, {facts['first']} to {facts['last']}."
        )
        self.ctx.log(markdown.plain(text))
        for line in _ingest_notes(facts):
            self.ctx.log(line)
        return Result(
            text,
            {
                "file": str(path),
                "sha256": facts["sha256"],
                "instruments": facts["instruments"],
                "first": facts["first"],
                "last": facts["last"],
            },
        )

    async def _which_file(self) -> Path:
        stage = self.stage
        named = stage.options.get("file")
        if named:
            return files.resolve(str(named), stage.workdir)
        found = await self._thread(lambda: files.named_in(self._wishes, stage.workdir))
        if found:
            return found
        names = await self._thread(lambda: files.candidates(stage.workdir))
        where = one_line(str(stage.workdir))
        tail = "" if names else f" There is none in {where}; give a path."
        said = await self._ask(
            "file",
            f"Which file of prices should I read?{tail}",
            tuple(Choice(name, one_line(name, 80)) for name in names),
            folder=where,
        )
        return files.resolve(said, stage.workdir)

    async def _which_order(self, unclear: dates.Ambiguous, path: Path) -> dates.Order:
        said = await self._ask(
            "dates",
            f"The dates in {one_line(path.name)} can be read in two ways. What is "
            f"{one_line(unclear.example, 20)}?",
            (
                Choice("day", f"{unclear.day_first:%d %B %Y} (day first)"),
                Choice("month", f"{unclear.month_first:%d %B %Y} (month first)"),
            ),
        )
        return "month" if said.lower().startswith("month") else "day"

    # ---- quality

    @property
    def _wishes(self) -> str:
        # An answer may quote our own question, with a period in it that nobody asked for.
        return self.stage.request or self.stage.prompt

    async def _quality(self) -> Result:
        from taskhub_tui.agents.analyst import quality

        options = self.stage.options
        wanted = str(options.get("holes") or "ask")
        policy = quality.policy_of(wanted)
        if policy is None and wanted != "ask":
            raise AgentError(
                f"The option holes is {one_line(wanted, 40)!r}; it must be ask, drop, carry, "
                "leave or keep."
            )
        grid, facts = await self._thread(
            lambda: quality.survey(self.desk, options.get("period"), self._wishes)
        )
        for line in _quality_notes(facts):
            self.ctx.log(line)
        by = "the option holes"
        if facts["holes"] and policy is None:
            choices = tuple(Choice(key, label) for key, label in quality.POLICIES.items())
            said = await self._ask(
                "holes", quality.question(facts), choices, holes=_holes_detail(facts)
            )
            policy, by = quality.policy_of(said), "your answer"
            if policy is None:
                raise AgentError(
                    f"{one_line(said, 60)!r} does not say what to do with the holes. "
                    "Retry and answer drop, carry, leave or keep."
                )
        chosen = policy or "keep"
        settled = await self._thread(lambda: quality.settle(self.desk, grid, facts, chosen, by))
        if settled["policy_done"]:
            self.ctx.log(f"Holes: {settled['policy_done']} ({by})")
        period = settled["period"]
        text = (
            f"Reporting on {period['now']['name']} against {period['before']['name']}: "
            f"{markdown.several(settled['gap_prices'], 'price')} missing, "
            f"{markdown.several(settled['outlier_count'], 'outlier')}."
        )
        return Result(text, {"period": period, "policy": settled["policy"]})

    # ---- trends, risk, report

    async def _trends(self) -> Result:
        from taskhub_tui.agents.analyst import trends

        facts = await self._thread(lambda: trends.run(self.desk))
        text = f"{facts['up']} rose and {facts['down']} fell"
        if facts["best"] and len(facts["ranking"]) > 1:
            text += f"; best {markdown.safe(facts['best'])}, worst {markdown.safe(facts['worst'])}"
        for e in facts["instruments"][:20]:
            moved = markdown.percent(e["now"]["percent"])
            before = markdown.percent(e["before"]["percent"])
            self.ctx.log(f"{one_line(e['name'], 60)}: {moved} (before {before})")
        return Result(text + ".", {"best": facts["best"], "worst": facts["worst"]})

    async def _risk(self) -> Result:
        from taskhub_tui.agents.analyst import risk

        facts = await self._thread(lambda: risk.run(self.desk))
        for e in facts["instruments"][:20]:
            moved = markdown.percent(e["volatility"], sign=False)
            self.ctx.log(
                f"{one_line(e['name'], 60)}: volatility {moved}, "
                f"deepest fall {markdown.percent(e['fall']['depth'])}"
            )
        known = [e for e in facts["instruments"] if e["volatility"] is not None]
        if not known:
            return Result("Too few prices in the period for a volatility.")
        wildest = max(known, key=lambda e: float(e["volatility"]))
        return Result(
            f"{markdown.safe(wildest['name'])} moved most: volatility "
            f"{markdown.percent(wildest['volatility'], sign=False)} a year."
        )

    async def _report(self) -> Result:
        from taskhub_tui.agents.analyst import report

        made = await self._thread(lambda: report.run(self.desk))
        for path, media_type in made.files:
            await self.ctx.artifact(
                Artifact(path.name, path, media_type, main=path.name == "report.md")
            )
        self.ctx.log(f"Report: {one_line(str(self.desk.outdir / 'report.md'))}")
        return Result(made.summary, made.figures)


def _holes_detail(facts: Facts) -> list[Facts]:
    return [
        {
            "instrument": facts["hole_names"][str(hole["i"])],
            "window": hole["window"],
            "reasons": hole["reasons"],
            "days": hole["days"][:20],
        }
        for hole in facts["holes"][:20]
    ]


def _ingest_notes(facts: Facts) -> list[str]:
    notes = [f"Layout: {facts['layout']}; dates in {one_line(facts['date_column'], 60)!r}"]
    if facts["date_order"]:
        by = f", told by {facts['date_order_by']}" if facts["date_order_by"] else ""
        notes.append(f"Dates are read {facts['date_order']} first{by}")
    if facts["left_out"]:
        names = ", ".join(name or "(no name)" for name, _ in facts["left_out"][:10])
        notes.append(f"Columns not used: {names}")
    for key, what in (("undated", "rows without a date"), ("unreadable", "unreadable prices")):
        if facts[key]["count"]:
            lines = ", ".join(str(e[0]) for e in facts[key]["examples"][:5])
            notes.append(f"{facts[key]['count']:,} {what}, first in lines {lines}")
    if facts["duplicates"]["count"]:
        notes.append(f"{facts['duplicates']['count']:,} repeated dates; the last row counts")
    if facts["future"]["count"]:
        notes.append(f"{facts['future']['count']:,} prices dated in the future are left out")
    return notes


def _quality_notes(facts: Facts) -> list[str]:
    period = facts["period"]
    notes = [
        f"{facts['frequency'].capitalize()} prices on {facts['dates']:,} dates",
        f"Period: {period['now']['name']} ({period['now']['start']} to {period['now']['end']}): "
        f"{period['why']}",
        f"{markdown.several(facts['gap_prices'], 'price')} missing in "
        f"{markdown.several(facts['gap_count'], 'gap')}, "
        f"{markdown.several(facts['outlier_count'], 'outlier')}",
    ]
    for entry in facts["below_zero"]:
        notes.append(
            f"{one_line(entry['name'], 60)}: {markdown.several(entry['count'], 'price')} at or "
            "below zero; log returns are not defined there"
        )
    if facts["mixed"]:
        notes.append(f"Mixed frequencies; all are compared {facts['frequency']}")
    return notes


AGENT: Agent = Analyst()
