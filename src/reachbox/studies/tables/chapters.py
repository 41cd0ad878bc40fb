"""Tables 1 to 3 and Fig. 8 to 16: the paper's methods against each other on MNIST (Sec. 6 and Appendix A)."""

from __future__ import annotations

from dataclasses import replace

from reachbox.studies.chapter import Chapter, Request
from reachbox.studies.sections.paper_tables import choices_section, curves_section, runs_section, table_section
from reachbox.studies.tables.experiment import MARGIN_METHODS, SENSITIVITY_METHODS, Trained, train_methods
from reachbox.studies.tables.paper import paper_table
from reachbox.studies.wording import described, sample_counts, share_of_range
from reachbox.training.presets import SIGMA

SENSITIVITY_METRICS = ("CE", "ERR", "SENSE", "JACOB", "SPECTRAL", "ADV_LOSS", "ADV_ERR")
MARGIN_METRICS = ("CE", "ERR", "SENSE", "ADV_LOSS", "ADV_ERR")


def table1(request: Request) -> Chapter:
    """SM against the methods that shrink another sensitivity: two convolutions, Adam; with Fig. 8 to 11."""
    trained = train_methods(SENSITIVITY_METHODS, request)
    table = paper_table(1)
    return Chapter(
        (
            table_section(table, trained),
            curves_section("Figures 8 to 11", "figures-8-11", ("test",), SENSITIVITY_METRICS, trained),
            runs_section(table, trained),
            choices_section(),
        ),
        _settings("table 1", trained),
    )


def table2(request: Request) -> Chapter:
    """SM against K&W on training samples: one convolution, plain SGD; with the left halves of Fig. 12 to 16."""
    return _margins(2, "train", request)


def table3(request: Request) -> Chapter:
    """SM against K&W on test samples: the same trainings as Table 2; with the right halves of Fig. 12 to 16."""
    return _margins(3, "test", request)


def _margins(number: int, samples: str, request: Request) -> Chapter:
    trained = train_methods(MARGIN_METHODS, request)
    table = paper_table(number)
    words = "training" if samples == "train" else samples
    title = f"Figures 12 to 16, {words} samples"
    return Chapter(
        (
            table_section(table, trained),
            curves_section(title, "figures-12-16", (samples,), MARGIN_METRICS, trained),
            runs_section(table, trained),
        ),
        _settings(f"table {number}", trained),
    )


def _settings(name: str, trained: Trained) -> tuple[tuple[str, str], ...]:
    preset = trained.methods[0].preset
    how = described(replace(preset.settings, seed=0))
    return (
        (name, f"{trained.dataset.name}: {sample_counts(trained.dataset)}; network {preset.network}; {how}"),
        (f"measured for {name}", f"dual bounds in float64, {share_of_range(SIGMA)}; inputs are not clipped"),
    )
