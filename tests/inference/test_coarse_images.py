"""Tests of images on coarser pixels."""

from __future__ import annotations

import math

import pytest
import torch

from astrorim.inference.coarse_images import central_model, coarse_mask, coarse_model
from astrorim.lensing.forward import ForwardModel, ImageData
from astrorim.lensing.system import LensSystem
from astrorim.plugins import load_plugins


def _model(side: int) -> tuple[ForwardModel, torch.Tensor]:
    plugins = load_plugins()
    system = LensSystem(
        plugins.lens_models.resolve("sie"), plugins.light_models.create("sersic")
    )
    axis = torch.arange(-4, 5, dtype=torch.float64)
    psf = torch.exp(-(axis[:, None] ** 2 + axis**2) / 4)
    shape = (1, side, side)
    data = ImageData(
        torch.zeros(shape).double(),
        torch.full(shape, 2.0).double(),
        torch.ones(shape).double(),
        (psf / psf.sum())[None],
        1,
        torch.tensor([0.05]).double(),
    )
    lens = {"theta_E": 1.0, "e1": 0.1, "e2": -0.1, "x0": 0.0, "y0": 0.0}
    light = {
        "amplitude": 10.0, "half_light_radius": 0.6, "sersic_index": 1.0,
        "e1": 0.1, "e2": 0.2, "x0": 0.12, "y0": -0.2,
    }  # fmt: skip
    values = system.stack(
        {k: torch.tensor([v]).double() for k, v in lens.items()},
        {k: torch.tensor([v]).double() for k, v in light.items()},
    )
    return ForwardModel(system, data), values


@pytest.mark.parametrize("side", [80, 81])
def test_coarse_images_keep_flux_and_place(side):
    """Also in odd frames, whose middle moves when a row is added.

    The convolution on coarse pixels widens an image a little, so that its moments are
    compared: the same flux, at the same place to a hundredth of a pixel.
    """
    model, values = _model(side)
    values[0, model.system.parameters.index_of("light_half_light_radius")] = 0.2
    moments = []
    for level in (model, coarse_model(model, 2)):
        image, m = level.lens_light(values)[0], level.margin
        inner = slice(m, m + image.shape[0])
        x, y = (position[0, inner, inner] for position in level.positions(1))
        flux = image.sum()
        moments.append((flux, (image * x).sum() / flux, (image * y).sum() / flux))
    fine, coarse = moments
    assert abs(float(coarse[0] / fine[0]) - 1) < 1e-3
    for a, b in zip(fine[1:], coarse[1:], strict=True):
        assert abs(float(a - b)) < 0.01 * 0.05


def test_noise_adds_in_quadrature_and_masks_grow():
    """A coarse pixel counts where all its pixels do."""
    model, _ = _model(41)
    model.data.good[0, 3, 3] = 0
    data = coarse_model(model, 2).data
    assert torch.allclose(data.noise[0, 5, 5], torch.tensor(4.0).double())
    assert float(data.good[0, 1, 1]) == 0
    assert float(data.good[0, :20, :20].sum()) == 399
    assert not data.good[0, 20].any()  # half of each of its pixels was never observed


def test_masks_follow():
    """Boolean masks as the images' own."""
    used = torch.ones(5, 4, dtype=torch.bool)
    used[0, 0] = False
    coarse = coarse_mask(used, 2)
    assert coarse.tolist() == [[False, True], [True, True], [False, False]]


@pytest.mark.parametrize("side", [80, 81])
def test_the_middle_of_a_frame_is_the_same_image(side):
    """Where pixels count, the cut frame renders what the whole one does."""
    model, values = _model(side)
    used = torch.ones(side, side, dtype=torch.bool)
    used[40, 40] = False
    central, kept = central_model(model, used, 1.0)
    cut = (side - central.shape[0]) // 2
    inner = slice(cut, side - cut)
    assert central.shape == kept.shape
    assert 40 <= central.shape[0] <= 46
    assert not kept[40 - cut, 40 - cut]
    assert abs(int(kept.sum()) * 0.05**2 / math.pi - 1) < 0.02
    whole = model.lens_light(values)[0][inner, inner]
    part = central.lens_light(values)[0]
    assert float((part - whole).abs().max()) < 1e-10 * float(whole.max())
