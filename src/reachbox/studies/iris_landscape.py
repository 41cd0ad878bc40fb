"""The chapter of the paper's Sec. 4.1: the landscape of Iris, as published and as it can be certified."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from reachbox.data import load
from reachbox.landscape import Database, Landscape, Mode, PerceptronEnergy, ReLU, explore, landscape_of
from reachbox.report import Column, Section, Table
from reachbox.report.numbers import count, number
from reachbox.studies.chapter import Chapter, Request
from reachbox.studies.landscape import Survey, survey
from reachbox.studies.refinement import Refined, refine
from reachbox.studies.sections.landscape import landscape_sections

WIDTHS, L2, WIDE = (4, 25, 25, 25, 3), 1e-3, 1.0
PAPER = 763


def landscape(request: Request) -> Chapter:
    """Explores in both modes; the databases lie in the chapter's folder and go on after a kill."""
    loose, refined, minima, states = (40, 8, 5, 3) if request.quick else (PAPER, PAPER, 100, 300)
    request.folder.mkdir(parents=True, exist_ok=True)
    iris = load("iris")
    network = PerceptronEnergy(WIDTHS, ReLU(), iris.x_train.double().numpy(), iris.y_train.numpy(), l2=L2)

    def explored(name: str, setting: Landscape, minima: int, states: int, share: float) -> Survey:
        request.progress(name, share)
        return _explored(request.folder / f"{name}-{request.seed}.db", setting, minima, states)

    paper = explored("paper", landscape_of(network, Mode.PAPER, seed=request.seed), loose, 0, 0.0)
    request.progress("refinement", 0.2)
    table = list(refine(network, np.stack([minimum.found.point for minimum in paper.minima[:refined]])))
    certified = explored("certified", landscape_of(network, seed=request.seed), minima, 0, 0.4)
    wide = explored("wide", landscape_of(network, width=WIDE, seed=request.seed), 0, states, 0.6)
    sections = (_refinement(paper, table, certified), *landscape_sections(wide))
    settings = (
        ("landscape", f"4-25-25-25-3, ReLU, l2 {L2:g}, raw features; tree and network at a bend of {WIDE:g}"),
        ("landscape time", f"{paper.seconds:.0f} s as published, {certified.seconds:.0f} s certified minima, "
                           f"{wide.seconds:.0f} s transition states"),
    )  # fmt: skip
    return Chapter(sections, settings)


def _explored(path: Path, setting: Landscape, minima: int, states: int) -> Survey:
    with Database(path, setting.energy.describe(), strict=setting.is_strict) as database:
        known = len(database.known_minima), len(database.known_transition_states)
        if known[0] < minima or known[1] < states:
            for progress in explore(setting.energy, database, setting.exploration):
                if progress.minima >= minima and progress.transition_states >= states:
                    break
        return survey(database)


def _refinement(paper: Survey, rows: list[Refined], certified: Survey) -> Section:
    columns = (
        Column("asked for", "level"),
        Column("converge", "converged", count),
        Column("distinct", "distinct", count),
        Column("median fall of the energy", "fall", number),
    )
    cells = [(row.name, row.converged, row.distinct, row.median_fall) for row in rows]
    last = rows[-1]
    sentence = (
        f"The paper reports {PAPER} energetically distinct minima after 20 hours. At an RMS gradient of .001, "
        f"{count(len(paper.minima))} were found in {paper.seconds:.0f} s. They are scatter around fewer minima, which "
        f"lie on kinks: where {count(rows[0].converged)} of them are followed, {count(last.distinct)} energies remain. "
        f"Searches on the smoothed loss found {count(len(certified.minima))} certified minima in "
        f"{certified.seconds:.0f} s, and by Chao's estimate about {count(round(certified.unseen_and_seen))} exist."
    )
    return Section("The minima of Iris", sentence, table=Table("refinement", columns, cells))
