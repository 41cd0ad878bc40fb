"""What `reachbox study` does once its options are read."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from rich.console import RenderableType

from reachbox.cli.answer import Answer
from reachbox.cli.progress import waiting
from reachbox.cli.samples import DataOptions
from reachbox.cli.tables import facts, numbers_table
from reachbox.data import Dataset
from reachbox.errors import InputError
from reachbox.landscape import Database, PerceptronEnergy, ReLU
from reachbox.report import Page, Section, versions, write_page
from reachbox.studies.energy_sensitivity import Correlation, Measured, boxes_around, correlation, measured
from reachbox.studies.landscape import Survey, survey
from reachbox.studies.sections.energy_sensitivity import scatter
from reachbox.studies.sections.landscape import landscape_sections, survey_settings

SHOWN = 12


@dataclass(frozen=True)
class Study:
    """A landscape, the data that it is of, and the radius."""

    database: Path
    data: DataOptions
    sigma: float
    out: Path | None

    def answer(self, as_json: bool) -> Answer:
        """Bound every minimum, and set the sensitivities against the energies."""
        with Database.existing(self.database) as stored:
            found = survey(stored)
        if not found.minima:
            raise InputError(f"{self.database}: holds no minima yet; explore first")
        dataset = self.data.load()
        network = self._network(found, dataset)
        points = np.stack([minimum.found.point for minimum in found.minima])
        heights = np.array([minimum.found.energy for minimum in found.minima])
        with waiting(f"exact boxes of {len(points)} minima"):
            values = measured(network, points, heights, boxes_around(dataset, self.sigma))
        rank = correlation([values], lambda one: one.log10_geometric_mean)
        record: dict[str, object] = {
            "database": self.database,
            "sigma": self.sigma,
            "rank_correlation": None if np.isnan(rank.value) else rank.value,
            "id": [minimum.id for minimum in found.minima],
            "energy": heights,
            "log10_geometric_mean": values.log10_geometric_mean,
            "log10_mean": values.log10_mean,
            "versions": dict(versions()),
        }
        view = self._view(found, values, rank)
        if self.out is not None:
            record["page"] = page = self._page(found, values, rank)
            view += ["", facts({"page": page})]
        return Answer(record=record, view=view, as_json=as_json)

    def _network(self, found: Survey, dataset: Dataset) -> PerceptronEnergy:
        """The ReLU network whose weights the minima are; `InputError` where landscape and data do not fit."""
        problem = found.problem
        if problem.get("surface") != "PerceptronEnergy" or "ReLU" not in str(problem.get("activation")):
            raise InputError(f"{self.database}: exact boxes need an mlp with ReLU, found {dict(problem)}")
        widths: tuple[int, ...] = tuple(problem["widths"])  # type: ignore[arg-type]
        inputs = dataset.x_train.double().flatten(1).numpy()
        network = PerceptronEnergy(widths, ReLU(), inputs, dataset.y_train.numpy(), l2=float(str(problem["l2"])))
        if network.describe()["data"] != problem["data"]:
            raise InputError(f"{self.database}: was explored on other samples than {dataset.name} with these options")
        return network

    def _view(self, found: Survey, values: Measured, rank: Correlation) -> list[RenderableType]:
        rows = [
            (str(minimum.id), f"{minimum.found.energy:.6f}", f"{geometric:.3f}", f"{mean:.3f}")
            for minimum, geometric, mean in zip(
                found.minima[:SHOWN], values.log10_geometric_mean, values.log10_mean, strict=False
            )
        ]
        known = {
            "minima": f"{rank.minima}, the lowest {min(SHOWN, rank.minima)} below",
            "radius": f"{self.sigma:g} of each feature's range",
            "rank correlation": f"{rank.value:+.3f} of energy and geometric mean; 1 means lower is less sensitive",
        }
        header = ("minimum", "energy", "log10 geometric mean", "log10 mean")
        return [facts(known), "", numbers_table(header, rows, words=0)]

    def _page(self, found: Survey, values: Measured, rank: Correlation) -> Path:
        assert self.out is not None
        sentence = (
            f"The rank correlation of energy and sensitivity is {rank.value:+.2f} over {rank.minima} minima; "
            "above 0 means that lower minima are less sensitive."
        )
        pairs = zip(found.minima, values.log10_geometric_mean, strict=True)
        colours = {minimum.id: float(value) for minimum, value in pairs if np.isfinite(value)}
        over = Section("Energy and sensitivity", sentence, figures=(scatter([values], "sensitivity", self.sigma),))
        sections = (over, *landscape_sections(found, colours, "log10 sensitivity"))
        settings = (("sigma", f"{self.sigma:g}"), *survey_settings(found))
        lead = "Every minimum of a network's loss, and how far the outputs can move there."
        return write_page(Page(f"Sensitivity over {found.name}", lead, (), sections, settings), self.out)
