"""Identifiers that a person can read out: eight characters, without those that look alike."""

from collections.abc import Callable

ALPHABET = "23456789abcdefghjkmnpqrstvwxyz"
LENGTH = 8


def new_id(below: Callable[[int], int]) -> str:
    """Make an ID. `below(n)` returns a random number from 0 to n - 1, as `secrets.randbelow`."""
    number = below(len(ALPHABET) ** LENGTH)
    letters = []
    for _ in range(LENGTH):
        number, digit = divmod(number, len(ALPHABET))
        letters.append(ALPHABET[digit])
    return "".join(letters)


def is_id(name: str) -> bool:
    """Return whether this may be the ID of a task."""
    return len(name) == LENGTH and set(name) <= set(ALPHABET)
