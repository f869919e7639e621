"""How tasks look in a terminal."""

from taskhub_tui.cli.detail import command
from taskhub_tui.domain.model import Action, Blocker, BlockerKind, Choice


def test_a_question_with_choices_is_answered_by_a_choice() -> None:
    asked = Blocker("b1", "k3f9", 0, "vault", BlockerKind.INPUT, "Which?", 1, 0.0)
    chosen = Blocker(
        "b1", "k3f9", 0, "vault", BlockerKind.INPUT, "Which?", 1, 0.0, choices=(Choice("a", "A"),)
    )
    assert command("k3f9", Action.PROVIDE_CONTEXT, chosen).endswith("context --choice CHOICE")
    assert command("k3f9", Action.PROVIDE_CONTEXT, asked).endswith("context --text WORDS")
