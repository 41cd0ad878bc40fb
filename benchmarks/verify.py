"""`verify` on a benchmark of the verification competitions: every instance, its verdict, its time, and what is known.

`python benchmarks/verify.py --help`. A benchmark is a folder with an `instances.csv` (network, specification, seconds),
such as `acasxu` or `rl_benchmarks` of VNN-COMP; files may be packed (`.gz`). `--known` are results of the
competitions' tools; where they differ, the majority counts.
"""

from __future__ import annotations

import csv
import os
from collections import Counter
from dataclasses import asdict, dataclass
from datetime import date
from json import dumps
from pathlib import Path
from statistics import median
from time import perf_counter, process_time
from typing import Annotated

import torch
import typer
from tables import machine, write_results

import reachbox as rb
from reachbox.verify import onnx_judge

WORDS = {"holds": "unsat", "unsat": "unsat", "violated": "sat", "sat": "sat"}
Key = tuple[str, str]


@dataclass(frozen=True)
class Result:
    """What became of one instance."""

    network: str
    specification: str
    verdict: str
    known: str | None
    reason: str
    nodes: int
    reading: float  # seconds
    seconds: float
    processor_seconds: float

    @property
    def contradicts(self) -> bool:
        """Whether the verdict is another one than is known."""
        return {self.verdict, self.known} == {"sat", "unsat"}


def stem(name: str) -> str:
    """A file's name without folder and packing."""
    return Path(name).name.removesuffix(".gz")


def known_verdicts(files: list[Path]) -> dict[Key, str]:
    """What most of the tools found, from lines `category,network,specification,preparation,verdict,seconds`."""
    votes: dict[Key, Counter[str]] = {}
    for file in files:
        for row in csv.reader(file.read_text().splitlines()):
            if len(row) > 4 and row[4].lower() in WORDS:
                votes.setdefault((stem(row[1]), stem(row[2])), Counter())[WORDS[row[4].lower()]] += 1
    return {key: count.most_common(1)[0][0] for key, count in votes.items()}


def present(folder: Path, name: str) -> Path:
    """A file of the benchmark, packed or not."""
    plain = folder / name
    return plain if plain.exists() else plain.with_name(plain.name + ".gz")


def run(folder: Path, row: list[str], timeout: float, known: dict[Key, str]) -> Result:
    """One instance: reading the files, and deciding."""
    started = perf_counter()
    path = present(folder, row[0])
    network, specification = rb.load(path), rb.read_vnnlib(present(folder, row[1]))
    judge = onnx_judge(path, network)
    read, processor = perf_counter(), process_time()
    answer = rb.verify(network, specification, timeout=timeout, judge=judge)
    names = stem(row[0]), stem(row[1])
    return Result(
        *names, str(answer.verdict), known.get(names), answer.reason, answer.nodes, read - started, answer.seconds,
        process_time() - processor,
    )  # fmt: skip


def summary(name: str, results: list[Result], threads: int) -> str:
    """A row of the table for a whole benchmark."""
    seconds = [result.seconds for result in results]
    count = Counter(result.verdict for result in results)
    cells = [
        name, len(results), count["unsat"], count["sat"], count["unknown"] + count["timeout"],
        sum(result.contradicts for result in results), threads, f"{sum(seconds):.3g}", f"{median(seconds) * 1000:.0f}",
        f"{max(seconds):.3g}", f"{sum(result.processor_seconds for result in results):.3g}",
        f"{sum(result.reading for result in results):.3g}",
    ]  # fmt: skip
    return "| " + " | ".join(map(str, cells)) + " |"


def record(rows: list[str]) -> None:
    """Rewrites the results in the README beside this file."""
    header = (
        "| benchmark | instances | unsat | sat | undecided | against a known verdict | threads | seconds | median ms "
        "| longest s | processor s | reading s |\n" + "|---" * 12 + "|"
    )
    load = os.getloadavg()[0]
    on = machine()
    told = f"{date.today()}; {on['processor']}, {on['cores']} cores; load {load:.1f} at the end. "
    told += f"reachbox {rb.__version__}."
    write_results("\n".join([told, "", header, *rows]), "verify.py")


def main(
    folders: Annotated[list[Path], typer.Argument(help="Folders with an instances.csv each.")],
    known: Annotated[list[Path] | None, typer.Option(help="Results of other tools, CSV; may be repeated.")] = None,
    timeout: Annotated[float, typer.Option(help="Seconds for an instance.")] = 60.0,
    threads: Annotated[int, typer.Option(help="Threads.")] = 2,
    json: Annotated[Path | None, typer.Option(help="Write every result to this file.")] = None,
    to_readme: Annotated[bool, typer.Option("--record", help="Rewrite the table in README.md.")] = False,
) -> None:
    """Runs whole benchmarks in one process: start-up is left out, compilation comes first."""
    torch.set_num_threads(threads)
    verdicts = known_verdicts(known or [])
    every, rows = [], []
    for folder in folders:
        instances = [row for file in sorted(folder.glob("*instances.csv")) for row in csv.reader(file.open())]
        run(folder, instances[0], 600.0, verdicts)  # compiles
        results = []
        for row in instances:
            result = run(folder, row, timeout, verdicts)
            results.append(result)
            mark = "  CONTRADICTS" if result.contradicts else ""
            print(f"{result.network} {result.specification} {result.verdict} {result.seconds:.3f} s{mark}", flush=True)
        rows.append(summary(folder.name, results, threads))
        every += results
    print("\n".join(rows))
    if json is not None:
        json.write_text(dumps([asdict(result) for result in every], indent=1))
    if to_readme:
        record(rows)
    raise typer.Exit(int(any(result.contradicts for result in every)))


if __name__ == "__main__":
    typer.run(main)
