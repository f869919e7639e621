"""Which agent suits a request: a ranking that is explained in words."""

import re
from collections.abc import Sequence

from taskhub_tui.domain.errors import BadInput
from taskhub_tui.domain.model import AgentCard, Options
from taskhub_tui.records import dataclass

_WORD = re.compile(r"[\w'-]+")


@dataclass(frozen=True, slots=True)
class Ranked:
    """One agent's place in the ranking."""

    card: AgentCard
    score: float
    why: str
    """A sentence for a person."""


def rank(request: str, options: Options, cards: Sequence[AgentCard]) -> list[Ranked]:
    """Return the agents, best first. An agent with a score of 0 does not fit at all.

    What counts: options only one agent understands, its keywords in the request (as whole words;
    several words in a row count more), and whether it can be used at all.
    """
    words = " ".join(_WORD.findall(request.lower()))
    ranking = []
    for card in cards:
        if card.problem:
            ranking.append(Ranked(card, 0.0, f"cannot be used: {card.problem}"))
            continue
        hits = [word for word in card.keywords if f" {word.lower()} " in f" {words} "]
        given = [name for name in options if name in card.options]
        strange = [name for name in options if name not in card.options]
        score = sum(1.0 + hit.count(" ") for hit in hits) + 2.0 * len(given) - 2.0 * len(strange)
        reasons = []
        if hits:
            reasons.append("the request speaks of " + ", ".join(f"“{hit}”" for hit in hits[:4]))
        if given:
            reasons.append("it understands " + ", ".join(f"`{name}`" for name in given))
        if strange:
            reasons.append("it does not know " + ", ".join(f"`{name}`" for name in strange))
        ranking.append(
            Ranked(card, max(0.0, score), "; ".join(reasons) or "nothing in the request names it")
        )
    return sorted(ranking, key=lambda ranked: (-ranked.score, ranked.card.name))


def choose(request: str, options: Options, cards: Sequence[AgentCard]) -> Ranked:
    """Return the best agent for a request.

    Raises:
        BadInput: none fits, or two fit equally well; the message names them.
    """
    ranking = rank(request, options, cards)
    best = ranking[0] if ranking else None
    names = ", ".join(f"`{card.name}`" for card in cards) or "none"
    if best is None or best.score <= 0:
        raise BadInput(
            "No agent is an obvious fit for this request",
            f"Name one with --agent; there are {names}",
        )
    if len(ranking) > 1 and ranking[1].score == best.score:
        raise BadInput(
            f"`{best.card.name}` and `{ranking[1].card.name}` fit this request equally well",
            "Name one with --agent",
        )
    return best
