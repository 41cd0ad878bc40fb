"""What `reachbox study` does with the landscape that its options name."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from rich.console import RenderableType

from reachbox.cli.answer import Answer
from reachbox.cli.progress import waiting
from reachbox.cli.study.subject import Subject
from reachbox.cli.tables import facts, numbers_table
from reachbox.errors import InputError
from reachbox.report import Page, Section, versions, write_page
from reachbox.studies.energy_sensitivity import Correlation, Measured, correlation, has_exact_boxes, measured
from reachbox.studies.sections.energy_sensitivity import scatter
from reachbox.studies.sections.landscape import landscape_sections, survey_settings

SHOWN = 12


@dataclass(frozen=True)
class Study:
    """A landscape, and the radius of the boxes on it; with `out`, the folder of a page."""

    file: Path
    sigma: float
    out: Path | None
    subject: Subject

    def answer(self, as_json: bool) -> Answer:
        """Bound every minimum, and set the sensitivities against the energies."""
        minima, energy = self.subject.found.minima, self.subject.energy
        if not minima:
            raise InputError(
                f"{self.file}: no minima are known yet; explore for longer, and modules with kinks by --mode paper"
            )
        points = np.stack([minimum.found.point for minimum in minima])
        heights = np.array([minimum.found.energy for minimum in minima])
        with waiting(f"{self._boxes} of {len(points)} minima"):
            values = measured(energy, points, heights, self.subject.boxes)
        rank = correlation([values], lambda one: one.log10_geometric_mean)
        record: dict[str, object] = {
            "file": self.file,
            "sigma": self.sigma,
            "boxes": self._boxes,
            "rank_correlation": None if np.isnan(rank.value) else rank.value,
            "id": [minimum.id for minimum in minima],
            "energy": heights,
            "log10_geometric_mean": values.log10_geometric_mean,
            "log10_mean": values.log10_mean,
            "versions": dict(versions()),
        }
        if self._model is not None:
            record["model"] = {
                "energy": self._model.energies[0],
                "log10_geometric_mean": self._model.log10_geometric_mean[0],
                "log10_mean": self._model.log10_mean[0],
            }
        view = self._view(values, rank)
        if self.out is not None:
            record["page"] = page = self._page(values, rank)
            view += ["", facts({"page": page})]
        return Answer(record=record, view=view, as_json=as_json)

    @property
    def _boxes(self) -> str:
        return "exact boxes" if has_exact_boxes(self.subject.energy) else "boxes by dual bounds"

    @cached_property
    def _model(self) -> Measured | None:
        """The network that the study began with."""
        energy, point = self.subject.energy, self.subject.model
        return (
            None if point is None else measured(energy, point, energy.value_and_gradient(point)[0], self.subject.boxes)
        )

    def _view(self, values: Measured, rank: Correlation) -> list[RenderableType]:
        rows = [
            (str(minimum.id), f"{minimum.found.energy:.6f}", f"{geometric:.3f}", f"{mean:.3f}")
            for minimum, geometric, mean in zip(
                self.subject.found.minima[:SHOWN], values.log10_geometric_mean, values.log10_mean, strict=False
            )
        ]
        known = {
            "minima": f"{rank.minima}, the lowest {min(SHOWN, rank.minima)} below",
            "radius": f"{self.sigma:g} of each feature's range",
            "boxes": self._boxes,
            "rank correlation": f"{rank.value:+.3f} of energy and geometric mean; 1 means lower is less sensitive",
        }
        if self._model is not None:
            known["model"] = _beside(self._model, values)
        header = ("minimum", "energy", "log10 geometric mean", "log10 mean")
        return [facts(known), "", numbers_table(header, rows, words=0)]

    def _page(self, values: Measured, rank: Correlation) -> Path:
        assert self.out is not None
        found = self.subject.found
        sentence = (
            f"The rank correlation of energy and sensitivity is {rank.value:+.2f} over {rank.minima} minima; "
            "above 0 means that lower minima are less sensitive."
        )
        if self._model is not None:
            sentence += f" The model itself: {_beside(self._model, values)}."
        pairs = zip(found.minima, values.log10_geometric_mean, strict=True)
        colours = {minimum.id: float(value) for minimum, value in pairs if np.isfinite(value)}
        figure = scatter([values], "sensitivity", self.sigma, self._boxes, self._model)
        over = Section("Energy and sensitivity", sentence, figures=(figure,))
        sections = (over, *landscape_sections(found, colours, "log10 sensitivity"))
        settings = (("sigma", f"{self.sigma:g}"), *survey_settings(found))
        lead = "Every minimum of a network's loss, and how far the outputs can move there."
        return write_page(Page(f"Sensitivity over {found.name}", lead, (), sections, settings), self.out)


def _beside(model: Measured, minima: Measured) -> str:
    """The model among the minima, in words."""
    energy, sensitivity = float(model.energies[0]), float(model.log10_geometric_mean[0])
    lower = int((minima.energies < energy).sum())
    less = int((minima.log10_geometric_mean < sensitivity).sum())
    place = f"{lower} of {len(minima.energies)} minima are lower, {less} less sensitive"
    return f"energy {energy:.6f}, log10 geometric mean {sensitivity:.3f}; {place}"
