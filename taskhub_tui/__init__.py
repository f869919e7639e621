"""TaskHub: a terminal hub for long-running work."""

__version__ = "0.1.0"
