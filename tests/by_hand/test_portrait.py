"""What drives a linear network's boxes, worked by hand; and the figure of shades."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from reachbox.errors import InputError
from reachbox.network import Network
from reachbox.report.figures import heat_map
from reachbox.studies.portrait import AT_SCALE, MULTIPLES, portrait, ranked


def test_a_linear_network_is_driven_by_weight_times_radius() -> None:
    """`y = (3 x_0 + x_1, x_2)`, radius 1 each: the first side is 8, of which 3/4 is the first input's; the second 2."""
    model = nn.Linear(13, 2, bias=False).double()
    model.weight.data.zero_()
    model.weight.data[0, 0], model.weight.data[0, 1], model.weight.data[1, 2] = 3.0, 1.0, 1.0
    x = torch.zeros(4, 13, dtype=torch.float64)
    network = Network.from_module(model, x)
    found = portrait(network, x, torch.tensor([0, 0, 1, 1]), torch.ones(13, dtype=torch.float64), classes=2)
    assert found.drivers[:4].tolist() == pytest.approx([0.75, 0.25, 1.0, 0.0])
    assert ranked(found.drivers, [f"x{i}" for i in range(13)], 1) == [("x2", pytest.approx(1.0))]
    assert found.widths.tolist() == [pytest.approx([8.0, 2.0])] * 2
    assert [10**value for value in found.volumes["dual"]] == pytest.approx([16 * m**2 for m in MULTIPLES])
    assert [reach.method for reach in found.boxes.reaches] == list(AT_SCALE)
    assert found.boxes.escaped == 0


def test_shades_need_numbers_from_zero() -> None:
    figure = heat_map("shades", "Words.", [[1.0, 2.0]], rows=["r"], columns=["a", "b"], row_label="", column_label="")
    assert figure.data[0].csv() == ",a,b\nr,1.0,2.0\n".replace(",a", "row,a", 1)
    with pytest.raises(InputError, match="finite values from 0"):
        heat_map("shades", "Words.", [[-1.0]], rows=["r"], columns=["a"], row_label="", column_label="")
