"""Work shared among solvers' processes, all of which end with it, however it ends."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from typing import TypeVar

import torch

from reachbox.solvers import Child

Found = TypeVar("Found")


def in_children(engine: str, count: int, solved: Callable[[int, Child], Found]) -> list[Found]:
    """`solved(number, child)` of each number below `count`, by as many children as torch has threads."""
    children = [Child(engine) for _ in range(min(count, torch.get_num_threads()))]
    waiting, found = deque(range(count)), {}

    def work(child: Child) -> None:
        with child, torch.no_grad():
            while waiting:
                try:
                    number = waiting.popleft()
                except IndexError:  # another thread was faster
                    return
                found[number] = solved(number, child)

    with ThreadPoolExecutor(len(children)) as threads:
        shares = [threads.submit(work, child) for child in children]
        try:
            wait(shares, return_when=FIRST_EXCEPTION)
        finally:
            if not all(share.done() for share in shares):
                waiting.clear()
                for child in children:
                    child.close()
        for share in shares:
            share.result()
    return [found[number] for number in range(count)]
