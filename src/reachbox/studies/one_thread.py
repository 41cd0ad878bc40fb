"""Small networks on one thread: more threads cost them more than they give, and would decide the last digits."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch


@contextmanager
def one_thread() -> Iterator[None]:
    """Torch and the compiled loops on one thread, as long as the context lasts; then as they were."""
    import numba

    of_torch = torch.get_num_threads()
    # Starting numba's threads changes the number of torch's, so numba comes first.
    of_numba = numba.get_num_threads()
    numba.set_num_threads(1)
    torch.set_num_threads(1)
    try:
        yield
    finally:
        numba.set_num_threads(of_numba)
        torch.set_num_threads(of_torch)
