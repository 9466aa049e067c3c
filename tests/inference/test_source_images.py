"""The images of the source's pixels against the forward model's rendering."""

from __future__ import annotations

import pytest
import torch

from astrorim.inference import source_images
from astrorim.inference.source_images import SourceImages
from astrorim.lensing.forward import ForwardModel, ImageData
from astrorim.lensing.interpolation import SourceFrames
from astrorim.lensing.pixel_density import PixelDensity
from astrorim.lensing.system import LensSystem
from astrorim.plugins import load_plugins

VALUES = torch.tensor([[0.5, 0.1, 0.05, 0.01, -0.02, 0.03, -0.04]]).double()
SIZE = 8


def _model(psf_supersampling, supersampling, sampling):
    """An image whose PSF has neither symmetry nor a side that fits the pixels."""
    generator = torch.Generator().manual_seed(3)
    noise = 0.5 + torch.rand(1, 21, 23, generator=generator).double()
    axis = torch.arange(-5, 6).double()
    psf = torch.exp(-((axis[:, None] + 0.7) ** 2 + (axis - 0.3) ** 2) / 6)
    data = ImageData(
        image=torch.randn(1, 21, 23, generator=generator).double(),
        noise=noise,
        good=torch.ones_like(noise),
        psf=(psf / psf.sum())[None],
        psf_supersampling=psf_supersampling,
        pixel_scale=torch.tensor([0.08]).double(),
    )
    system = LensSystem(load_plugins().lens_models.resolve("sie+shear"), None)
    return ForwardModel(
        system, data, supersampling=supersampling, sampling=sampling, middle=(0.03, -0.05)
    )


def _frames(density):
    centre, scale = torch.tensor([[0.02, -0.03]]).double(), torch.tensor([0.05]).double()
    if not density:
        return SourceFrames(centre, scale, SIZE)
    values = torch.linspace(0.5, 1.5, 12).double().repeat(1, 2, 1)
    return SourceFrames(centre, scale, SIZE, 0.0, PixelDensity(values))


@pytest.mark.parametrize("density", [False, True])
@pytest.mark.parametrize(
    ("psf_supersampling", "supersampling", "sampling"),
    [(1, 1, 1), (1, 4, 4), (2, 2, 2), (4, 4, 2), (4, 4, 4), (4, 2, 1)],
)
def test_images_are_the_forward_models(psf_supersampling, supersampling, sampling, density):
    model, frames = _model(psf_supersampling, supersampling, sampling), _frames(density)
    generator = torch.Generator().manual_seed(1)
    used = torch.rand(21, 23, generator=generator) > 0.3
    weight = torch.rand(int(used.sum()), generator=generator).double()
    source = torch.rand(1, SIZE, SIZE, generator=generator).double()
    expected = model.source_operator(VALUES, frames).apply(source)[0][used] * weight
    assert float(expected.max()) > 0
    design = SourceImages(model, used, weight).design(VALUES, frames)
    image = torch.from_numpy(design @ source.flatten().numpy())
    torch.testing.assert_close(image, expected, rtol=1e-10, atol=1e-14)


def test_blocks_of_the_blurring_matrix_give_the_same_images(monkeypatch):
    model, frames = _model(2, 2, 2), _frames(density=False)
    used = torch.ones(21, 23, dtype=torch.bool)
    weight = torch.ones(int(used.sum())).double()
    whole = SourceImages(model, used, weight).design(VALUES, frames)
    monkeypatch.setattr(source_images, "_MOST_ENTRIES", 1000)
    images = SourceImages(model, used, weight)
    assert len(images._blocks) > 1
    assert abs(images.design(VALUES, frames) - whole).max() == 0


def test_images_keep_single_precision():
    model = _model(1, 2, 1)
    data = model.data
    single = ImageData(
        data.image.float(), data.noise.float(), data.good.float(), data.psf.float(), 1,
        data.pixel_scale.float(),
    )  # fmt: skip
    model = ForwardModel(model.system, single)
    used = torch.ones(21, 23, dtype=torch.bool)
    design = SourceImages(model, used, torch.ones(21 * 23)).design(
        VALUES.float(), SourceFrames(torch.zeros(1, 2), torch.tensor([0.05]), SIZE)
    )
    assert design.dtype == "float32"
