"""Jobs in processes side by side: the results of one process, in order, and errors that end the others."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable
from functools import partial

import pytest

from reachbox.errors import InputError
from reachbox.studies.side_by_side import side_by_side


def _double(value: int, tell: Callable[[str, float], None]) -> tuple[int, int]:
    tell("doubling", 0.5)
    if value < 0:
        raise InputError("no negative numbers")
    return 2 * value, os.getpid()


@pytest.mark.parametrize("workers", [1, 2])
def test_results_come_in_order_and_all_is_heard(workers: int) -> None:
    told: list[tuple[int, str, float]] = []
    found = side_by_side([partial(_double, value) for value in range(3)], workers, lambda *words: told.append(words))
    assert [value for value, _ in found] == [0, 2, 4]
    assert sorted(told) == [(number, "doubling", 0.5) for number in range(3)]
    assert (os.getpid() in {process for _, process in found}) == (workers == 1)


def _log(value: int, tell: Callable[[str, float], None]) -> None:
    logging.getLogger("reachbox.test").info("value %d", value)
    logging.getLogger("reachbox.test").debug("never")


@pytest.mark.parametrize("workers", [1, 2])
def test_what_jobs_log_is_logged_here(workers: int, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, "reachbox"):
        side_by_side([partial(_log, value) for value in range(3)], workers, lambda *words: None)
    told = [record.getMessage() for record in caplog.records if record.name == "reachbox.test"]
    assert sorted(told) == ["value 0", "value 1", "value 2"]


@pytest.mark.parametrize("workers", [1, 2])
def test_an_error_is_raised_here(workers: int) -> None:
    with pytest.raises(InputError, match="no negative"):
        side_by_side([partial(_double, value) for value in (-1, 1, 2)], workers, lambda *words: None)
