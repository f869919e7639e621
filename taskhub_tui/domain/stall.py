"""When a stage that gives no sign of life is worth a word. Nothing is ever stopped by this."""

from taskhub_tui.domain import durations
from taskhub_tui.domain.model import Stage
from taskhub_tui.records import dataclass


@dataclass(frozen=True, slots=True)
class Patience:
    """The `[stall]` settings, in seconds; 0 is never."""

    shown_after: float = 300.0
    """Silence after which it is shown."""
    ask_after: float = 900.0
    """Silence after which a person is asked."""

    def of(self, stage: Stage) -> "Patience":
        """Return the patience with one stage.

        Its own `stall` replaces `shown_after`, and `ask_after` grows or shrinks with it. A stage
        that usually takes long is not asked about before that time is over.
        """
        shown, ask = self.shown_after, self.ask_after
        if stage.stall is not None:
            ratio = ask / shown if shown and ask else 3.0 if ask else 0.0
            shown, ask = stage.stall, stage.stall * ratio
        return Patience(shown, ask)

    def shows(self, silent: float) -> bool:
        """Return whether `silent` seconds without a sign of life are to be shown."""
        return 0 < self.shown_after <= silent

    def asks(self, silent: float, stage: Stage, worked: float) -> bool:
        """Return whether a person is to be asked about `stage`.

        Args:
            silent: for how many seconds it has given no sign of life.
            worked: for how many seconds it has worked.
        """
        return 0 < self.ask_after <= silent and worked >= (stage.estimate or 0.0)


def patience(shown_after: float | None = None, ask_after: float | None = None) -> Patience:
    """Return the patience that the settings ask for; what is not set goes with what is."""
    usual = Patience()
    shown = usual.shown_after if shown_after is None else shown_after
    ask = max(usual.ask_after, shown) if ask_after is None else ask_after
    return Patience(min(shown, ask) if ask and shown_after is None else shown, ask)


def silence(since: float | None, now: float) -> str:
    """Return in words that an agent is silent; empty when it is not."""
    if since is None:
        return ""
    return f"no sign of life for {durations.countdown(now - since)}"
