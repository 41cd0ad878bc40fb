"""Data parallel training: two processes end where one does, whatever the objective."""

from __future__ import annotations

import socket
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor

from reachbox.training.processes import Part, dealt, present_part
from tests.two_processes import OBJECTIVES

ROOT = Path(__file__).resolve().parents[2]


def start(folder: Path, rank: int, count: int, port: int) -> subprocess.Popen[bytes]:
    folder.mkdir(exist_ok=True)
    words = [sys.executable, "-m", "tests.two_processes", str(folder), str(rank), str(count), str(port)]
    return subprocess.Popen(words, cwd=ROOT)


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> tuple[list[dict[str, Tensor]], list[Path]]:
    """The weights of one process alone and of each of two, and the folders of their runs."""
    place, port = tmp_path_factory.mktemp("processes"), free_port()
    alone, together = place / "alone", place / "together"
    started = [start(alone, 0, 1, 0), *(start(together, rank, 2, port) for rank in range(2))]
    assert [process.wait(300) for process in started] == [0, 0, 0]
    files = [alone / "0-of-1.safetensors", *(together / f"{rank}-of-2.safetensors" for rank in range(2))]
    return [load_file(file) for file in files], [alone / "run", together / "run"]


@pytest.mark.parametrize("name", [*OBJECTIVES, "numbers"])
def test_two_processes_end_where_one_does(trained: tuple[list[dict[str, Tensor]], list[Path]], name: str) -> None:
    alone, first, second = (weights[name] for weights in trained[0])
    assert torch.allclose(first, alone, rtol=1e-5, atol=1e-7)
    assert torch.equal(first, second) or name == "numbers"  # what is measured, also by the second


def test_the_folder_is_the_first_processes(trained: tuple[list[dict[str, Tensor]], list[Path]]) -> None:
    alone, together = trained[1]
    assert sorted(path.name for path in alone.iterdir()) == sorted(path.name for path in together.iterdir())
    ours, theirs = (load_file(folder / "network.safetensors") for folder in (alone, together))
    assert all(torch.allclose(ours[name], theirs[name], atol=1e-5) for name in ours)


def test_the_parts_of_a_batch_are_the_batch() -> None:
    parts = [Part(7, rank, 3) for rank in range(3)]
    values = torch.arange(7)
    assert torch.cat([part.of(values) for part in parts]).sort().values.equal(values)
    drawn = torch.tensor([5, 0, 4])
    assert torch.cat([part.of(values)[part.places(drawn)] for part in parts]).sort().values.tolist() == [0, 4, 5]


def test_without_a_loop_that_deals_the_batch_is_whole() -> None:
    with dealt(Part(9, 1, 2)):
        assert present_part(4) == Part(9, 1, 2)
    assert present_part(4) == Part(4)
