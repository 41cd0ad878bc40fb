"""The options that several commands share, each declared once."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, TypeAlias

import typer

from reachbox.errors import FileError


def writable(path: Path | None) -> Path | None:
    """Refuses a file that cannot be written before the work begins, not after it."""
    if path is None:
        return None
    if path.is_dir():
        raise FileError(f"{path}: cannot be written: a file is needed, found a folder")
    if not path.parent.is_dir():
        raise FileError(f"{path}: cannot be written: no such folder {path.parent}")
    if not os.access(path if path.exists() else path.parent, os.W_OK):
        raise FileError(f"{path}: cannot be written: permission denied")
    return path


Model: TypeAlias = Annotated[Path, typer.Argument(metavar="MODEL", help="Network: FILE.onnx or FILE.safetensors.")]

SAMPLES = "Samples"
DATA = "iris, digits, mnist, FILE.csv or FILE.npz."
Data: TypeAlias = Annotated[
    str, typer.Option("--data", metavar="NAME|FILE", help=f"Data set: {DATA}", rich_help_panel=SAMPLES)
]
MaybeData: TypeAlias = Annotated[
    str | None, typer.Option("--data", metavar="NAME|FILE", help=f"Data set: {DATA}", rich_help_panel=SAMPLES)
]
Input: TypeAlias = Annotated[
    Path | None,
    typer.Option(
        "--input",
        metavar="FILE",
        help="FILE.csv of samples; FILE.npz of samples x (and their eps), or of boxes lower and upper.",
        rich_help_panel=SAMPLES,
    ),
]
DataDir: TypeAlias = Annotated[
    Path | None,
    typer.Option(metavar="FOLDER", help="Where MNIST's files lie; also by REACHBOX_DATA.", rich_help_panel=SAMPLES),
]
Label: TypeAlias = Annotated[
    str | None, typer.Option(metavar="COLUMN", help="CSV: the column with the classes.", rich_help_panel=SAMPLES)
]
OneHot: TypeAlias = Annotated[
    bool, typer.Option("--one-hot", help="CSV: columns of words become 0/1 columns.", rich_help_panel=SAMPLES)
]
Split: TypeAlias = Annotated[
    float | None,
    typer.Option(metavar="SHARE", help="Share of the samples that test, drawn by --seed.", rich_help_panel=SAMPLES),
]
Standardise: TypeAlias = Annotated[
    bool,
    typer.Option(
        "--standardise",
        help="Mean 0 and deviation 1 for every feature; radii stay in original units. What train saves has this "
        "built in: measure it without.",
        rich_help_panel=SAMPLES,
    ),
]
Train: TypeAlias = Annotated[
    bool,
    typer.Option("--train", help="The training samples instead of the test samples.", rich_help_panel=SAMPLES),
]
Samples: TypeAlias = Annotated[
    int | None, typer.Option(metavar="N", min=1, help="Only the first N samples.", rich_help_panel=SAMPLES)
]

RADIUS = "Radius"
Eps: TypeAlias = Annotated[
    str | None,
    typer.Option(metavar="E[,E...]", help="The same for every feature, or one each.", rich_help_panel=RADIUS),
]
Sigma: TypeAlias = Annotated[
    float | None,
    typer.Option(metavar="S", help="This share of each feature's range in the data set.", rich_help_panel=RADIUS),
]
Within: TypeAlias = Annotated[
    str | None,
    typer.Option(
        "--within",
        "--clip",
        metavar="LOW,HIGH",
        help="Clip the boxes to the valid values, 0,1 for pixels.",
        rich_help_panel=RADIUS,
    ),
]

COMPUTATION = "Computation"
Method: TypeAlias = Annotated[
    str,
    typer.Option(
        metavar="NAME",
        help="sampled, interval, dual, crown, alpha, lp, milp, smt or exact.",
        rich_help_panel=COMPUTATION,
    ),
]
MethodOption: TypeAlias = Annotated[
    list[str] | None,
    typer.Option(
        "--option",
        metavar="NAME=VALUE",
        help="An option of the method, such as steps=50 of alpha; may be repeated.",
        rich_help_panel=COMPUTATION,
    ),
]
Timeout: TypeAlias = Annotated[
    float | None,
    typer.Option(
        metavar="SECONDS",
        help="Time limit: of each output and side for lp, milp and smt, of 100 samples for exact; 0 is allowed.",
        rich_help_panel=COMPUTATION,
    ),
]
Dtype: TypeAlias = Annotated[
    str, typer.Option(metavar="float64|float32", help="Arithmetic of the bounds.", rich_help_panel=COMPUTATION)
]
Device: TypeAlias = Annotated[
    str, typer.Option(metavar="cpu|cuda[:N]", help="Where to compute.", rich_help_panel=COMPUTATION)
]
Seed: TypeAlias = Annotated[int, typer.Option(metavar="N", min=0, help="Decides every random draw.")]

OUTPUT = "Output"
Json: TypeAlias = Annotated[bool, typer.Option("--json", help="Print one JSON object.", rich_help_panel=OUTPUT)]
Out: TypeAlias = Annotated[
    Path | None,
    typer.Option(
        "--out",
        metavar="FILE.json",
        callback=writable,
        help="Write the JSON object to this file as well.",
        rich_help_panel=OUTPUT,
    ),
]
