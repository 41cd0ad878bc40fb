"""Small networks on one thread: more threads cost them more than they give, and would decide the last digits."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from threadpoolctl import threadpool_limits


@contextmanager
def one_thread() -> Iterator[None]:
    """Torch, the compiled loops and products on one thread, as long as the context lasts; then as they were."""
    import numba
    import scipy.linalg  # noqa: F401  the library whose threads are limited must be loaded

    of_torch = torch.get_num_threads()
    # Starting numba's threads changes the number of torch's, so numba comes first.
    of_numba = numba.get_num_threads()
    numba.set_num_threads(1)
    torch.set_num_threads(1)
    try:
        with threadpool_limits(1):
            yield
    finally:
        numba.set_num_threads(of_numba)
        torch.set_num_threads(of_torch)
