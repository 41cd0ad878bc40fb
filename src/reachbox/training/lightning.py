"""Training against sensitivity under Lightning; needs the extra `lightning`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from torch import Generator, Tensor, nn

from reachbox.errors import InputError, UnsupportedError
from reachbox.training.objectives.penalty import Penalty

try:
    from lightning.pytorch import Callback
except ImportError:  # the callback can be named and documented without Lightning, but not made
    Callback = object


class PenaltyCallback(Callback if not TYPE_CHECKING else object):  # type: ignore[misc]
    """Adds a penalty, such as `Sensitivity`, to what a LightningModule minimises, and logs it after every step.

    Choose it for a LightningModule as it is; where you write `training_step` yourself, return the objective's total
    there instead. `penalty` brings its weight, radius and schedules; its own task loss is left out, since the module
    has one. `network` names the attribute that holds the classifier; without it the whole module is the classifier.
    Batches are `(x, y)`. The gradient of the penalty is added after that of the loss, so optimisation must be
    automatic, in one process and without gradient scaling.

    >>> from reachbox.training import Sensitivity
    >>> penalty = Sensitivity(radius=0.1, weight=0.1, form="geometric_width")
    >>> trainer = Trainer(callbacks=[PenaltyCallback(penalty, network="model")])  # doctest: +SKIP
    """

    def __init__(self, penalty: Penalty, network: str | None = None, seed: int = 0) -> None:
        if Callback is object:
            raise UnsupportedError("lightning: is not installed; install it with pip install 'reachbox[lightning]'")
        super().__init__()
        self.penalty, self.network = penalty, network
        self._generator = Generator().manual_seed(seed)
        self._batch: tuple[Tensor, Tensor] | None = None

    def on_train_start(self, trainer: Any, pl_module: nn.Module) -> None:
        """Refuses what would silently train something else."""
        if trainer.world_size > 1 or getattr(trainer, "scaler", None) is not None:
            raise InputError("lightning: the penalty's gradient needs one process and no gradient scaling")

    def on_train_batch_start(self, trainer: Any, pl_module: nn.Module, batch: Any, batch_idx: int) -> None:
        """Keeps the batch for the penalty."""
        x, y = batch
        self._batch = x, y

    def on_after_backward(self, trainer: Any, pl_module: nn.Module) -> None:
        """Adds the penalty's gradient to that of the loss."""
        assert self._batch is not None
        model = pl_module if self.network is None else getattr(pl_module, self.network)
        epoch = trainer.current_epoch + trainer.fit_loop.epoch_loop.batch_idx / max(1, trainer.num_training_batches)
        present = self.penalty.at(epoch)
        if not present.weight:
            return
        value = present.weight * present.term(model, *self._batch, self._generator)
        (value / trainer.accumulate_grad_batches).backward()
        pl_module.log(present.name, value.detach())  # type: ignore[operator]
