"""The report in words: Markdown from figures. Every sentence is computed; none is a template's."""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from taskhub_tui.agents.analyst import methods
from taskhub_tui.agents.analyst.markdown import percent, price, safe, several, table
from taskhub_tui.agents.analyst.work import Facts
from taskhub_tui.text import one_line

MOST_ROWS = 40
LOOSE = 0.3
"""Below this correlation prices do not count as moving together."""


class Drawn(Protocol):
    """A chart that lies beside the report."""

    @property
    def key(self) -> str: ...
    @property
    def alt(self) -> str: ...
    @property
    def note(self) -> str: ...


def report(facts: Facts, drawn: Mapping[str, Drawn]) -> str:
    """The whole report."""
    ingest, quality, trends, risk = _parts(facts)
    now = quality["period"]["now"]["name"]
    shown = _rows(trends["ranking"], quality["names"])
    lines = [
        f"# Market report: {now}",
        "",
        f"{several(len(quality['names']), 'instrument')} from {safe(ingest['name'])}, "
        f"{quality['frequency']} prices, {ingest['first']} to {ingest['last']}. "
        f"The period is {quality['period']['why']}.",
        "",
        "## In short",
        "",
        *[f"- {sentence}" for sentence in headlines(facts)],
        "",
        *_period(quality, trends, shown),
        *_chart(drawn, "prices"),
        *_trend(quality, trends, shown),
        *_chart(drawn, "trends"),
        *_crossings(trends, shown),
        *_quarters(trends, shown),
        *_risk(quality, risk, shown),
        *_chart(drawn, "drawdown"),
        *_chart(drawn, "volatility"),
        *_correlation(risk, quality),
        *_chart(drawn, "correlation"),
        *methods.quality_section(ingest, quality),
        *methods.method_section(ingest, quality, trends, risk),
        *methods.source_section(ingest),
        "This report describes past prices; it is not financial advice.",
    ]
    return "\n".join(lines) + "\n"


def headlines(facts: Facts) -> list[str]:
    """The main findings as sentences."""
    _, quality, trends, risk = _parts(facts)
    now, before = quality["period"]["now"]["name"], quality["period"]["before"]["name"]
    by_name = {e["name"]: e for e in trends["instruments"]}
    ranked: list[str] = trends["ranking"]
    found: list[str] = []
    if len(ranked) > 2:
        found.append(
            f"Of {len(ranked)} instruments {trends['up']} rose and {trends['down']} fell in {now}. "
            f"Best was **{safe(ranked[0])}** ({_moved(by_name[ranked[0]])}), worst "
            f"**{safe(ranked[-1])}** ({_moved(by_name[ranked[-1]])})."
        )
        told = [ranked[0], ranked[-1]]
    else:
        told = ranked
    for name in told if len(ranked) <= 2 else []:
        e = by_name[name]
        change = e["now"]
        sentence = (
            f"**{safe(name)}** {_verb(change['percent'])} from {price(change['base'])} to "
            f"{price(change['last'])} in {now}"
        )
        if e["before"]["percent"] is not None:
            sentence += f", after {percent(e['before']['percent'])} in {before}"
        if e["since"]["percent"] is not None:
            sentence += (
                f"; since then {percent(e['since']['percent'])} until {e['since']['last_date']}"
            )
        found.append(sentence + ".")
    found += [s for name in told[:2] if (s := _standing(by_name[name]))]
    wild = [e for e in risk["instruments"] if e["volatility"] is not None]
    if wild:
        top = max(wild, key=lambda e: float(e["volatility"]))
        sentence = (
            f"{safe(top['name'])} moved {'most' if len(wild) > 1 else 'with a volatility'}"
            f"{', with a volatility' if len(wild) > 1 else ''} of "
            f"{percent(top['volatility'], sign=False)} a year"
        )
        if top["volatility_before"] is not None:
            sentence += f" ({percent(top['volatility_before'], sign=False)} in {before})"
        found.append(sentence + ".")
    fallen = [e for e in risk["instruments"] if (e["fall"]["depth"] or 0) < 0]
    if fallen:
        deep = min(fallen, key=lambda e: float(e["fall"]["depth"]))
        fall = deep["fall"]
        end = f"made good by {fall['recovered']}" if fall["recovered"] else "not made good by then"
        found.append(
            f"The deepest fall within the period was {safe(deep['name'])}'s "
            f"{percent(fall['depth'])} from {fall['peak']} to {fall['trough']}, {end}."
        )
    together = risk["correlation"]
    if together and together["closest"]:
        value, a, b = together["closest"]
        if value < LOOSE:
            how = "Even " if len(together["names"]) > 2 else ""
            found.append(
                f"{how}{safe(a)} and {safe(b)} hardly moved together: correlation {_corr(value)}."
            )
        else:
            most = "most " if len(together["names"]) > 2 else ""
            found.append(
                f"{safe(a)} and {safe(b)} moved {most}together: correlation {_corr(value)}."
            )
    if quality["below_zero"]:
        entry = quality["below_zero"][0]
        found.append(
            f"{safe(entry['name'])} has {several(entry['count'], 'price')} at or below zero; "
            "log returns are not defined there and are left out."
        )
    return found or ["No change can be told: there is no base price before the period."]


def summary(facts: Facts) -> tuple[str, Facts]:
    """Two to four sentences, and the main numbers."""
    _, quality, trends, risk = _parts(facts)
    chosen = [line.replace("**", "") for line in headlines(facts)]
    figures = {
        "period": quality["period"]["now"]["name"],
        "changes": {e["name"]: e["now"]["percent"] for e in trends["instruments"][:50]},
        "volatility": {e["name"]: e["volatility"] for e in risk["instruments"][:50]},
        "best": trends["best"],
        "worst": trends["worst"],
    }
    return " ".join(chosen[:4]), figures


def _parts(facts: Facts) -> tuple[Facts, Facts, Facts, Facts]:
    return facts["ingest"], facts["quality"], facts["trends"], facts["risk"]


def _rows(ranking: Sequence[str], names: Sequence[str]) -> list[str]:
    """Names for the tables, best first; of very many the best and the worst."""
    ordered = [*ranking, *(name for name in names if name not in set(ranking))]
    if len(ordered) <= MOST_ROWS:
        return ordered
    return ordered[: MOST_ROWS // 2] + ordered[-MOST_ROWS // 2 :]


def _period(quality: Facts, trends: Facts, shown: Sequence[str]) -> list[str]:
    period = quality["period"]
    unit = period["unit"].capitalize()
    by_name = {e["name"]: e for e in trends["instruments"]}
    after = any(e["since"]["percent"] is not None for e in by_name.values())
    head = ["Instrument", "From", "To", "Change", period["before"]["name"], "Difference"]
    head += ["Low", "High"] + (["Since"] if after else [])
    rows = []
    for name in shown:
        e = by_name[name]
        difference = "–" if e["difference"] is None else percent(e["difference"])[:-2] + " pp"
        row = [
            safe(name, 40),
            price(e["now"]["base"]),
            price(e["now"]["last"]),
            f"**{percent(e['now']['percent'])}**" if e["now"]["percent"] is not None else "–",
            percent(e["before"]["percent"]),
            difference,
            price(e["low"]),
            price(e["high"]),
        ]
        rows.append(row + ([percent(e["since"]["percent"])] if after else []))
    lines = [f"## {unit} against {period['unit']} before", "", *table(head, rows)]
    if len(shown) < len(quality["names"]):
        lines += [
            f"The {MOST_ROWS // 2} best and the {MOST_ROWS // 2} worst of "
            f"{len(quality['names'])}; all are in `figures.json`.",
            "",
        ]
    steps = [
        [
            safe(name, 40),
            _step(by_name[name]["best"]),
            _step(by_name[name]["worst"]),
            percent(by_name[name]["rising_share"], 0, sign=False),
        ]
        for name in shown
    ]
    step = {"daily": "day", "weekly": "week", "monthly": "month"}[quality["frequency"]]
    head = ["Instrument", f"Best {step}", f"Worst {step}", f"Rising {step}s"]
    return [*lines, *table(head, steps)]


def _step(entry: Facts | None) -> str:
    return "–" if entry is None else f"{percent(entry['return'])} ({entry['date']})"


def _trend(quality: Facts, trends: Facts, shown: Sequence[str]) -> list[str]:
    by_name = {e["name"]: e for e in trends["instruments"]}
    windows = trends["windows"]
    rows = []
    for name in shown:
        e = by_name[name]
        line = e["trend"]
        fit = "–" if line["r2"] is None else f"{line['r2']:.2f}"
        cells = [safe(name, 40), line["direction"] or "–", fit]
        for window in windows:
            mean, last = e["averages"][str(window)], e["now"]["last"]
            if mean is None or mean <= 0:
                cells.append("–")
            else:
                side = "above" if last > mean else "below" if last < mean else "at"
                cells.append(f"{side} {price(mean)} ({percent(last / mean - 1)})")
        rows.append(cells)
    head = ["Instrument", "In the period", "Fit (R²)", *(f"Mean of {w}" for w in windows)]
    return ["## Trends", "", *table(head, rows)]


def _crossings(trends: Facts, shown: Sequence[str]) -> list[str]:
    by_name = {e["name"]: e for e in trends["instruments"]}
    lines: list[str] = []
    for name in shown:
        for c in by_name[name]["crossings"]:
            way = "above" if c["way"] == "up" else "below"
            lines.append(
                f"- {c['date']}: {safe(name)}, mean of {c['short']} went {way} mean of {c['long']}"
            )
    if not lines:
        return ["No moving averages crossed within the period.", ""]
    more = len(lines) - 30
    lines = sorted(lines)[:30] + ([f"- and {more} more, in `figures.json`"] if more > 0 else [])
    return ["Crossings of moving averages within the period:", "", *lines, ""]


def _quarters(trends: Facts, shown: Sequence[str]) -> list[str]:
    by_name = {e["name"]: e for e in trends["instruments"]}
    labels = list(by_name[shown[0]]["quarters"])
    rows = [
        [safe(name, 40), *(percent(by_name[name]["quarters"][label]) for label in labels)]
        for name in shown
    ]
    lines = ["## The last quarters", "", *table(["Instrument", *labels], rows)]
    if any(label.endswith("*") for label in labels):
        lines += ["\\* not complete", ""]
    return lines


def _risk(quality: Facts, risk: Facts, shown: Sequence[str]) -> list[str]:
    by_name = {e["name"]: e for e in risk["instruments"]}
    rows = []
    for name in shown:
        e = by_name[name]
        fall = e["fall"]
        span = f" ({fall['peak']} to {fall['trough']})" if fall["peak"] else ""
        rows.append(
            [
                safe(name, 40),
                percent(e["volatility"], sign=False),
                percent(e["volatility_before"], sign=False),
                percent(e["volatility_all"], sign=False),
                f"{percent(fall['depth'])}{span}",
                percent(e["below_peak"]),
                percent(e["worst_5_percent"]),
            ]
        )
    head = [
        "Instrument",
        "Volatility",
        quality["period"]["before"]["name"],
        "All data",
        "Deepest fall in the period",
        "Below its peak",
        "Worst 5 %",
    ]
    return ["## Risk", "", *table(head, rows)]


def _correlation(risk: Facts, quality: Facts) -> list[str]:
    together = risk["correlation"]
    if not together and len(quality["names"]) > 1:
        few = "There are too few returns in the period to tell a correlation."
        return ["## Moving together", "", few, ""]
    if not together:
        return []
    lines = ["## Moving together", ""]
    if together["closest"]:
        value, a, b = together["closest"]
        changes = dict(_pairs(together))
        before = changes.get((a, b))
        told = f" ({_corr(before)} in {quality['period']['before']['name']})" if before else ""
        lines.append(f"Closest were {safe(a)} and {safe(b)}: {_corr(value)}{told}.")
        value, a, b = together["loosest"]
        if len(together["names"]) > 2:
            lines.append(f"Loosest were {safe(a)} and {safe(b)}: {_corr(value)}.")
        lines.append("")
    return lines


def _pairs(together: Facts) -> list[tuple[tuple[str, str], Any]]:
    names = together["names"]
    return [
        ((names[b], names[a]), together["before"][a][b])
        for a in range(len(names))
        for b in range(a)
    ]


def _chart(drawn: Mapping[str, Drawn], key: str) -> list[str]:
    if key not in drawn:
        return []
    note = drawn[key].note
    return [f"![{safe(drawn[key].alt, 120)}]({key}.png)", ""] + ([note, ""] if note else [])


def _standing(e: Facts) -> str:
    """Trend in the period and place against the averages."""
    line = e["trend"]
    means = [(int(w), v) for w, v in e["averages"].items() if v is not None]
    if not means:
        return ""
    last = e["now"]["last"]
    above = [str(w) for w, v in means if last > v]
    below = [str(w) for w, v in means if last < v]
    parts = []
    if above:
        parts.append(f"above its mean of {_and(above)}")
    if below:
        parts.append(f"below its mean of {_and(below)}")
    where = " and ".join(parts) or "at its means"
    crossed = e["crossings"]
    tail = ""
    if crossed:
        c = crossed[-1]
        way = "above" if c["way"] == "up" else "below"
        tail = f"; on {c['date']} the mean of {c['short']} went {way} that of {c['long']}"
    if line["direction"] is None:
        return f"{safe(e['name'])} ended {where}{tail}."
    course = {
        "rising": "rose along a line",
        "falling": "fell along a line",
        "sideways": "went sideways, without a clear line",
    }[line["direction"]]
    return f"{safe(e['name'])} {course} (R² {line['r2']:.2f}) and ended {where}{tail}."


def _and(words: Sequence[str]) -> str:
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"


def _verb(change: float | None) -> str:
    if change is None:
        return "went"
    shown = percent(abs(change), sign=False)
    return "did not change" if change == 0 else f"{'rose' if change > 0 else 'fell'} {shown}"


def _moved(e: Facts) -> str:
    return percent(e["now"]["percent"])


def _corr(value: float | None) -> str:
    return "–" if value is None else one_line(f"{value:.2f}".replace("-", "−"))
