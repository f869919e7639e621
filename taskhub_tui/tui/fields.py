"""What text is typed into."""


def is_field(widget: object) -> bool:
    """Return whether text is typed into this widget.

    By what such widgets alone have: the larger of Textual's two takes long to import, and is first
    needed in a form.
    """
    return hasattr(widget, "cursor_blink")
