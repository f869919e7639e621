"""Changed copies of the domain's frozen classes."""

from dataclasses import fields
from operator import attrgetter
from typing import Any, TypeVar

T = TypeVar("T")

_PLANS: dict[type, tuple[Any, tuple[Any, ...], dict[str, Any]]] = {}
"""For each class: what reads all its fields, what sets them, and the latter by name."""


def replace(thing: T, /, **changes: Any) -> T:
    """Return a copy of `thing`, a frozen dataclass with slots, with some fields changed.

    What `dataclasses.replace` does in half the time: every step of a stage makes four such copies.

    Raises:
        TypeError: there is no such field.
    """
    cls = type(thing)
    plan = _PLANS.get(cls) or _plan(cls)
    copy: T = object.__new__(cls)
    for put, value in zip(plan[1], plan[0](thing), strict=True):
        put(copy, value)
    try:
        for name, value in changes.items():
            plan[2][name](copy, value)
    except KeyError as error:
        raise TypeError(f"{cls.__name__} has no field {error}") from None
    return copy


def _plan(cls: type) -> tuple[Any, tuple[Any, ...], dict[str, Any]]:
    names = [field.name for field in fields(cls)]
    setters = {name: getattr(cls, name).__set__ for name in names}
    _PLANS[cls] = attrgetter(*names), tuple(setters.values()), setters
    return _PLANS[cls]
