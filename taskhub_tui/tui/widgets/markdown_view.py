"""A Markdown text as lines, made off the event loop: a long report does not stop the keys.

Rich draws the text, because Textual's own Markdown makes a widget of every paragraph and takes
seconds for a long report. Code, and the plots that stand in for pictures, keep their width and can
be looked at sideways. Links are shown as text; web addresses, and nothing else, can be opened.
"""

import asyncio
import io
import re
import time
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.strip import Strip

from taskhub_tui.regular import open_regular
from taskhub_tui.text import clean, one_line
from taskhub_tui.tui import opening, pictures
from taskhub_tui.tui.actions import bindings
from taskhub_tui.tui.background import start
from taskhub_tui.tui.theme import for_rich
from taskhub_tui.tui.widgets.lines import LinesView

if TYPE_CHECKING:
    from rich.console import Console

LIMIT = 4_000_000
"""Most bytes of a file that are shown."""
_PLOT_LIMIT = 100_000
_CHUNK = 2000
"""Characters after which a paragraph's end is one of a piece; the first pieces are shorter."""
_BULLETS = ("- ", "* ", "+ ")
_TABLE_WIDTH = 110
_IMAGE = re.compile(r"\s*!\[([^\]]*)\]\(<?([^)>\s]+)>?(?:\s+\"[^\"]*\")?\)\s*")
_FENCE = re.compile(r" {0,3}(```+|~~~+)\s*([\w+#-]*)")
_WEB = re.compile(r"https?://[^\s<>\"'`|\\^{}\[\]]+[^\s<>\"'`|\\^{}\[\].,;:!?*_]")
_PICTURES = (".png", ".jpg", ".jpeg", ".gif", ".webp", ".bmp")
_PICTURE_LINES = 24
_HIGHLIGHTED = 60_000
"""Most characters of a piece of code whose words are told apart by colour."""
_MOST_LINKS = 1000
_PAUSE = 0.2
"""Seconds without a key after which a long report is drawn on: two at once would both be slow."""
_SHARE = 60
"""Lines that are drawn in one go, after those of the first screen."""


class MarkdownView(LinesView):
    """Shows a report; the first screen of it first."""

    BINDINGS = [*bindings("result")]

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._source = ""
        self._folder: Path | None = None
        self._drawn_width = 0
        self.links: list[str] = []
        """The web addresses in the text, in their order."""
        self._link: int | None = None

    def show(self, source: str, folder: Path | None = None, *, keep: bool = False) -> None:
        """Draw `source`, already sanitised.

        Args:
            folder: where the report lies; plots are looked for beside it.
            keep: stay at the place where the view is.
        """
        self._source, self._folder = source, folder
        self.links, self._link = [], None
        self._start(keep=keep)

    def on_resize(self) -> None:
        if self._source and self.size.width != self._drawn_width:
            self._start(keep=True)

    def notify_style_update(self) -> None:
        super().notify_style_update()
        if self._source and self.is_mounted:
            self._start(keep=True)

    def _start(self, *, keep: bool) -> None:
        self._drawn_width = self.size.width
        draw = partial(self._draw, keep)
        start(self, draw, exclusive=True, group="markdown")

    async def _draw(self, keep: bool) -> None:
        width = max(20, self.size.width - 2)
        colours = for_rich(self.app.theme_variables)
        source = self._source
        parts = blocks(source, self._folder)
        lines = await asyncio.to_thread(_some, parts, self.size.height + 1, width, colours)
        if len(lines) > self.size.height:
            # The rest of a long report comes while the first screen is read.
            self.set_lines(lines, keep=keep)
            keep = True
        self.links = await asyncio.to_thread(_links, source)
        while more := await asyncio.to_thread(_some, parts, _SHARE, width, colours):
            lines += more
            await self._rest(lines, keep)
        self.set_lines([*lines, *self.after()], keep=keep)
        if self.links and self.is_mounted:
            self.screen.refresh_bindings()

    async def _rest(self, lines: list[Strip], keep: bool) -> None:
        """Wait while keys are pressed; but what they come near to is shown."""
        ahead = 4 * self.size.height
        while True:
            if keep and len(self._lines) - self.scroll_offset.y < ahead:
                if len(lines) > len(self._lines):
                    self.set_lines(lines, keep=True)
                return
            typed: float = getattr(self.app, "typed", 0.0)
            if time.monotonic() - typed > _PAUSE:
                return
            await asyncio.sleep(_PAUSE / 4)

    def after(self) -> list[Strip]:
        """Return the lines that stand under the text."""
        return []

    # Links

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        if action == "link":
            return bool(self.links)
        if action == "open_link":
            return self._link is not None
        return super().check_action(action, parameters)

    def action_link(self, by: int) -> None:
        """Go to the next link, or the one before, and say where it leads."""
        here = self._link
        self._link = (0 if by > 0 else -1) if here is None else here + by
        self._link %= len(self.links)
        link = self.links[self._link]
        for part in (link, link[:24], link[:12]):
            places = [y for y, strip in enumerate(self._lines) if part in strip.text]
            if places:
                self.bring(places[0])
                break
        self.say(f"link {self._link + 1} of {len(self.links)}: {one_line(link, 120)}")
        self.screen.refresh_bindings()

    def action_open_link(self) -> None:
        if self._link is not None:
            self._open(self.links[self._link])

    def on_click(self, event: events.Click) -> None:
        y = self.line_at(event.y)
        if event.ctrl and y is not None and (link := self.link_at(y, event.x + self._shift)):
            event.stop()
            self._open(link)

    def link_at(self, y: int, x: int) -> str | None:
        """Return the web address that is drawn at a place; one cut at a line's end is whole."""
        for found in re.finditer(r"https?://[^\s()<>]+", self.text_of(y)):
            if found.start() <= x < found.end():
                shown = found[0].rstrip(".,;:!?")
                whole = [link for link in self.links if link.startswith(shown)]
                return shown if shown in self.links else whole[0] if whole else None
        return None

    def _open(self, link: str) -> None:
        async def run() -> None:
            self.app.notify(await opening.open_link(link), timeout=4, markup=False)

        start(self, run, group="link")


def warm() -> None:
    """Load what drawing needs, which takes longer than the first screen of a report."""
    import rich.markdown  # noqa: F401


def _links(source: str) -> list[str]:
    found = (link.rstrip(")") if "(" not in link else link for link in _WEB.findall(source))
    return [*dict.fromkeys(one for one in found if one.isascii())][:_MOST_LINKS]


def _some(
    parts: Iterator[tuple[str, str]], least: int, width: int, colours: Mapping[str, str]
) -> list[Strip]:
    """Draw the next pieces, at least so many lines of them; return none when no piece is left."""
    lines: list[Strip] = []
    for kind, text in parts:
        lines += draw(kind, text, width, colours)
        if len(lines) >= least:
            break
    return lines


def blocks(source: str, folder: Path | None) -> Iterator[tuple[str, str]]:
    """Cut Markdown into pieces: `text`, `list`, `table` and `code`; of a picture its plot.

    A `list` is text that goes on in the next piece: the beginning of a long list.
    """
    part: list[str] = []
    first = ""  # line of what ends with the next blank one
    fence: str | None = None
    kind = "text"
    size = before = 0

    def flush() -> Iterator[tuple[str, str]]:
        nonlocal part, size, first
        if any(line.strip() for line in part) or kind.startswith("code"):
            yield kind, "\n".join(part)
        part, size, first = [], 0, ""

    for line in source.split("\n"):
        mark = _FENCE.match(line)
        if fence is not None:
            if mark and mark[1].startswith(fence) and not line.strip().strip(fence[0]):
                yield from flush()
                fence, kind = None, "text"
            else:
                part.append(line)
            continue
        if mark:
            yield from flush()
            fence, kind = mark[1], f"code {mark[2]}".strip()
            continue
        is_table = line.lstrip().startswith("|")
        if is_table != (kind == "table"):
            yield from flush()
            kind = "table" if is_table else "text"
        if (image := _IMAGE.fullmatch(line)) and (plot := _plot(image[2], folder)) is not None:
            yield from flush()
            yield "plot", plot
            continue
        if (image := _IMAGE.fullmatch(line)) and (
            picture := _picture(image[2], folder)
        ) is not None:
            yield from flush()
            yield "image", picture
            continue
        ends = not line.strip()
        goes_on = not ends and line[:2] in _BULLETS and line[:2] == first[:2]
        if size > min(_CHUNK, 400 + before) and kind == "text" and (ends or goes_on):
            before += size
            kind = "list" if goes_on else kind
            yield from flush()
            kind = "text"
        first = "" if ends else first or line
        part.append(line)
        size += len(line)
    yield from flush()


def _picture(target: str, folder: Path | None) -> str | None:
    """Return the path of the picture `target` where it lies beside the report and can be drawn."""
    if folder is None or "://" in target or Path(target).suffix.lower() not in _PICTURES:
        return None
    path = (folder / target).resolve()
    if not path.is_relative_to(folder.resolve()) or not path.is_file() or not pictures.possible():
        return None
    return str(path)


def _plot(target: str, folder: Path | None) -> str | None:
    """Return the plain-text plot beside the picture `target`, if there is one."""
    if folder is None or "://" in target:
        return None
    name = Path(target).with_suffix(".txt")
    if name.is_absolute():
        return None
    path = (folder / name).resolve()
    if not path.is_relative_to(folder.resolve()) or not path.is_file():
        return None
    try:
        with open_regular(path) as file:
            return clean(file.read(_PLOT_LIMIT).decode("utf-8", "replace")).rstrip("\n")
    except OSError:
        return None


def draw(kind: str, text: str, width: int, colours: Mapping[str, str]) -> list[Strip]:
    """Return the lines of one piece, `width` cells wide where they can be wrapped."""
    if kind == "image":
        try:
            back = colours.get("background", "#12151A")
            return [*pictures.drawn(Path(text), width, _PICTURE_LINES, back), Strip([])]
        except pictures.BadPicture as error:
            return [Strip([Segment(one_line(str(error)), Style(color=colours.get("muted")))])]
    if kind == "plot":
        style = Style(color=colours.get("foreground"))
        lines = [Strip([Segment("  " + line.expandtabs(4), style)]) for line in text.split("\n")]
        return [*lines, Strip([])]
    if kind.startswith("code"):
        return [*_code(text, kind[5:], colours), Strip([])]
    from rich.console import Console
    from rich.theme import Theme

    if kind == "table":
        width = max(width, _TABLE_WIDTH)
    look: dict[str, str | Style] = {
        "markdown.h1": Style(bold=True, color=colours.get("foreground")),
        "markdown.h2": Style(bold=True, color=colours.get("running")),
        "markdown.h3": Style(bold=True, color=colours.get("foreground")),
        "markdown.h4": Style(bold=True, color=colours.get("muted")),
        "markdown.code": Style(color=colours.get("running")),
        "markdown.link": Style(color=colours.get("running")),
        "markdown.link_url": Style(color=colours.get("muted")),
        "markdown.block_quote": Style(color=colours.get("muted")),
        "markdown.hr": Style(color=colours.get("faint")),
        "markdown.item.bullet": Style(color=colours.get("muted")),
        "markdown.item.number": Style(color=colours.get("muted")),
        "markdown.table.border": Style(color=colours.get("faint")),
        "markdown.table.header": Style(color=colours.get("muted"), bold=True),
    }
    console = Console(
        width=width,
        file=io.StringIO(),
        force_terminal=True,
        color_system="truecolor",
        theme=Theme(look),
        markup=False,
        emoji=False,
        highlight=False,
    )
    lines = [*_rendered(console, text, width)]
    return lines[:-1] if kind == "list" else lines


def _code(text: str, language: str, colours: Mapping[str, str]) -> list[Strip]:
    """Return code, its words told apart where its language is known."""
    plain = Style(color=colours.get("muted"))
    text = text.expandtabs(4)
    if not language or len(text) > _HIGHLIGHTED:
        return [Strip([Segment("  " + line, plain)]) for line in text.split("\n")]
    from pygments import lex
    from pygments.lexers import get_lexer_by_name
    from pygments.token import Token
    from pygments.util import ClassNotFound

    try:
        lexer = get_lexer_by_name(language, stripnl=False, ensurenl=False)
    except ClassNotFound:
        return _code(text, "", colours)
    plain = Style(color=colours.get("foreground"))
    looks = (
        (Token.Comment, Style(color=colours.get("muted"), italic=True)),
        (Token.Keyword, Style(color=colours.get("running"))),
        (Token.Literal.String, Style(color=colours.get("done"))),
        (Token.Literal.Number, Style(color=colours.get("needs"))),
        (Token.Name.Function, Style(color=colours.get("foreground"), bold=True)),
        (Token.Name.Class, Style(color=colours.get("foreground"), bold=True)),
        (Token.Generic.Deleted, Style(color=colours.get("failed"))),
        (Token.Generic.Inserted, Style(color=colours.get("done"))),
        (Token.Generic.Heading, Style(color=colours.get("foreground"), bold=True)),
    )
    lines: list[list[Segment]] = [[Segment("  ")]]
    for token, word in lex(text, lexer):
        style = next((look for kind, look in looks if token in kind), plain)
        first, *rest = word.split("\n")
        lines[-1].append(Segment(first, style))
        lines += [[Segment("  "), Segment(part, style)] for part in rest]
    return [Strip(line) for line in lines]


def _rendered(console: "Console", text: str, width: int) -> Iterator[Strip]:
    from rich.markdown import Heading, Markdown

    class PlainHeading(Heading):
        """A heading at the left, without a box."""

        def __rich_console__(self, console: Any, options: Any) -> Any:
            self.text.justify = "left"
            yield self.text

    class Plain(Markdown):
        elements = {**Markdown.elements, "heading_open": PlainHeading}

    drawn = Plain(text, hyperlinks=False)
    lines = console.render_lines(drawn, console.options.update(width=width), pad=False)
    strips = [Strip(line).simplify() for line in lines]
    while strips and not strips[-1].text.strip():
        strips.pop()
    begun = False
    for strip in strips:
        begun = begun or bool(strip.text.strip())
        if begun:
            yield strip
    if begun:
        yield Strip([])
