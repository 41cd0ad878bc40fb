"""The landscape that the options of `reachbox landscape explore` name."""

from __future__ import annotations

from dataclasses import dataclass

from reachbox.cli.option_groups import DataOptions
from reachbox.errors import InputError
from reachbox.landscape import (
    Activation,
    Energy,
    Landscape,
    Mode,
    ModuleEnergy,
    PerceptronEnergy,
    ReLU,
    Softplus,
    Tanh,
    landscape_of,
)
from reachbox.network.architectures import build, layer_sizes

ACTIVATIONS: dict[str, Activation] = {"relu": ReLU(), "tanh": Tanh(), "softplus": Softplus()}
MLP = "mlp:"


@dataclass(frozen=True)
class Problem:
    """Everything that decides the surface and the searches on it."""

    data: DataOptions
    network: str
    activation: str
    l2: float
    biases_count: bool
    mode: str | None
    width: float | None
    rms: float | None

    def landscape(self) -> Landscape:
        """The surface and how to search it; `InputError` for options that do not fit together."""
        if self.rms is not None and not self.rms > 0:
            raise InputError(f"rms: must be positive, found {self.rms:g}")
        return landscape_of(self._energy(), self._mode(), self.width, self.rms, self.data.seed)

    def about(self) -> dict[str, object]:
        """The problem in words, kept in the database."""
        units = "standardised" if self.data.standardise else "raw"
        words = {"data": f"{self.data.data}, {units} features", "network": self.network}
        return {**words, "activation": self.activation} if self.network.startswith(MLP) else {**words}

    def _mode(self) -> Mode | None:
        if self.mode is None:
            return None
        if self.mode not in list(Mode):
            raise InputError(f"mode: {', '.join(Mode)} are allowed, found {self.mode!r}")
        return Mode(self.mode)

    def _energy(self) -> Energy:
        dataset = self.data.load()
        inputs, labels = dataset.x_train.double().flatten(1), dataset.y_train
        if self.network.startswith(MLP):
            if self.activation not in ACTIVATIONS:
                raise InputError(f"activation: {', '.join(ACTIVATIONS)} are allowed, found {self.activation!r}")
            hidden = layer_sizes(self.network, self.network.removeprefix(MLP))
            widths = (inputs.shape[1], *hidden, dataset.classes)
            activation = ACTIVATIONS[self.activation]
            return PerceptronEnergy(
                widths, activation, inputs.numpy(), labels.numpy(), l2=self.l2, biases_count=self.biases_count
            )
        module = build(self.network, dataset.input_shape, dataset.classes, self.data.seed)
        samples = dataset.x_train.double()
        return ModuleEnergy(module, samples, labels, l2=self.l2, biases_count=self.biases_count)
