"""Where each task stands in the list, however many there are and were."""

from array import array

import pytest

from taskhub_tui.tui.widgets.standing import FOLDED, UNSEEN, Standing

MOST_DELETED = [3_000_000, 7, 2_999_999]


@pytest.mark.parametrize("numbers", [[5, 1, 9], array("q", range(1, 1000)), MOST_DELETED, [], [1]])
def test_every_task_stands_where_it_was_put_and_no_other_does(numbers) -> None:
    standing = Standing(numbers)
    assert [standing.of(n) for n in numbers] == [UNSEEN] * len(numbers)
    standing.lay(numbers, 3)
    assert [standing.of(n) for n in numbers] == [*range(3, 3 + len(numbers))]
    for stranger in (0, -1, 2_000_000, 3_000_001, 1 << 40, None):
        assert standing.of(stranger) == UNSEEN


@pytest.mark.parametrize("numbers", [[1, 2, 3, 4], [*MOST_DELETED, 4]])
def test_tasks_under_a_folded_head_have_no_place_but_are_known(numbers) -> None:
    standing = Standing(numbers)
    standing.lay(numbers[:2], FOLDED)
    standing.lay(numbers[2:], 5)
    assert [standing.of(n) for n in numbers] == [FOLDED, FOLDED, 5, 6]


def test_a_hundred_thousand_take_few_bytes_and_so_do_the_few_that_are_left() -> None:
    many = Standing(range(1, 100_001))
    assert many._places.itemsize * len(many._places) < 500_000
    assert len(Standing(MOST_DELETED)._places) == 0
