"""`reachbox verify`: whether a network can be unsafe, in the words of the verification competitions."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from reachbox.cli import options
from reachbox.cli.answer import Answer, ExitCode

if TYPE_CHECKING:
    from reachbox.verify import Verification

Net = Annotated[Path, typer.Argument(metavar="NET.onnx", help="Network: .onnx, .onnx.gz or .safetensors.")]
Spec = Annotated[Path, typer.Argument(metavar="SPEC.vnnlib", help="Specification: .vnnlib or .vnnlib.gz, version 1.")]
TimeLimit = Annotated[float | None, typer.Option("--timeout", metavar="SECONDS", help="Time limit; 0 is allowed.")]
ResultsFile = Annotated[
    Path | None,
    typer.Option(metavar="FILE", callback=options.writable, help="Write the verdict and the counterexample to it."),
]


def verify(
    net: Net,
    spec: Spec,
    timeout: TimeLimit = None,
    results_file: ResultsFile = None,
    seed: options.Seed = 0,
    as_json: options.Json = False,
    out: options.Out = None,
) -> Answer:
    """Decides whether an input of the specification's unsafe set exists.

    Prints sat with the counterexample, unsat, unknown or timeout, as the competitions (VNN-COMP) do. A counterexample
    lies in the specification's boxes, and the outputs that onnxruntime computes for it in float32 satisfy the
    specification, both exactly; no tolerance is used. Exit code 0: unsat; 1: sat; 3: unknown or timeout.

    reachbox verify net.onnx spec.vnnlib --timeout 60 --results-file out.txt
    """
    from reachbox.file_access import write_atomically
    from reachbox.formats.vnnlib import read_vnnlib
    from reachbox.network.files import load
    from reachbox.verify import onnx_judge
    from reachbox.verify import verify as decide
    from reachbox.verify.judge import network_judge

    specification = read_vnnlib(spec)
    network = load(net)
    judge = network_judge(network) if net.suffix == ".safetensors" else onnx_judge(net, network)
    answer = decide(network, specification, timeout=timeout, judge=judge, seed=seed)
    words = _words(answer)
    if results_file is not None:
        write_atomically(results_file, words.encode())
    codes = {"unsat": ExitCode.DONE, "sat": ExitCode.DOES_NOT_HOLD}
    return Answer(
        record=_record(answer) | {"model": str(net), "specification": str(spec)},
        view=(words.rstrip(),),
        exit_code=codes.get(answer.verdict, ExitCode.GAVE_UP),
        as_json=as_json,
        out=out,
    )


def _words(answer: Verification) -> str:
    """The verdict, and the counterexample as the competitions write it."""
    if answer.counterexample is None:
        return f"{answer.verdict}\n"
    letters = {"X": answer.counterexample.x, "Y": answer.counterexample.y}
    lines = [
        f"({letter}_{i} {value!r})" for letter, values in letters.items() for i, value in enumerate(values.tolist())
    ]
    return f"{answer.verdict}\n(" + "\n".join(lines) + ")\n"


def _record(answer: Verification) -> dict[str, object]:
    found = answer.counterexample
    example = None if found is None else {"x": found.x.tolist(), "y": found.y.tolist()}
    return {
        "verdict": str(answer.verdict),
        "reason": answer.reason,
        "counterexample": example,
        "nodes": answer.nodes,
        "seconds": answer.seconds,
    }
