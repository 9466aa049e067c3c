"""Multi-Gaussian expansions against lenstronomy, and what they can describe."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from lenstronomy.LightModel.light_model import LightModel as Reference
from scipy.optimize import nnls

from astrorim.interfaces import LightModel
from astrorim.lensing import ForwardModel, ImageData, LensSystem
from astrorim.plugins import load_plugins
from astrorim.testing import LightModelContract, draw_parameters
from astrorim.testing.checks import draw_inputs, report
from astrorim_plugins.light_models import MultiGaussian
from astrorim_plugins.light_models.multi_gaussian import gaussian_widths
from astrorim_plugins.light_models.sersic import sersic_brightness


class TestFewGaussians(LightModelContract):
    @pytest.fixture
    def model(self):
        return MultiGaussian(number=5, smallest=0.05, largest=1.0)


def at(model, amplitudes, **values):
    """Parameters of one galaxy, (1, 1, 1)."""
    shape = {"e1": 0.0, "e2": 0.0, "x0": 0.0, "y0": 0.0} | values
    every = dict(zip(model.linear_names, amplitudes, strict=True)) | shape
    return {
        name: torch.full((1, 1, 1), value, dtype=torch.float64) for name, value in every.items()
    }


def test_widths_are_logarithmically_spaced():
    model = load_plugins().light_models.create("multi-gaussian")
    assert len(model.widths) == 18
    assert model.widths[0] == 0.03
    assert model.widths[-1] == pytest.approx(3.0, rel=1e-14)
    steps = np.diff(np.log(model.widths))
    np.testing.assert_allclose(steps, steps[0], rtol=1e-12)


def test_parameters_follow_the_number_of_gaussians():
    model = load_plugins().light_models.create("multi-gaussian", number=3, largest=1.0)
    names = [parameter.name for parameter in model.parameters]
    amplitudes = ["amplitude_01", "amplitude_02", "amplitude_03"]
    assert names == [*amplitudes, "e1", "e2", "x0", "y0"]
    assert model.linear_names == tuple(amplitudes)
    assert repr(model) == "MultiGaussian(number=3, smallest=0.03, largest=1)"
    assert MultiGaussian().parameters == MultiGaussian.parameters


def test_names_in_a_system_carry_the_prefix():
    plugins = load_plugins()
    system = LensSystem(
        plugins.lens_models.resolve("sie+shear"), plugins.light_models.resolve("multi-gaussian")
    )
    light = system.parameters.names[system.num_lens :]
    assert light[0] == "light_amplitude_01"
    assert light[17:] == ("light_amplitude_18", "light_e1", "light_e2", "light_x0", "light_y0")
    assert len({p.fits_key for p in system.parameters}) == len(system.parameters)


@pytest.mark.parametrize("number", [1, 0, -3, 100, 2.5, "many"])
def test_unreasonable_number_is_refused(number):
    with pytest.raises(ValueError, match="number of Gaussians must be an integer 2 to 99, got"):
        MultiGaussian(number=number)


@pytest.mark.parametrize(
    "smallest, largest", [(0.0, 1.0), (-0.1, 1.0), (1.0, 1.0), (2.0, 1.0), (0.1, math.inf)]
)
def test_unreasonable_widths_are_refused(smallest, largest):
    with pytest.raises(ValueError, match="widths must be 0 < smallest < largest, arcsec, got"):
        gaussian_widths(4, smallest, largest)


def test_agrees_with_lenstronomy(generator, record_property):
    """Their amplitude is the flux of a Gaussian, ours its central brightness."""
    model = load_plugins().light_models.create("multi-gaussian")
    reference = Reference(["MULTI_GAUSSIAN_ELLIPSE"])
    worst = worst_flux = 0.0
    for _ in range(25):
        params = draw_parameters(model.parameters, (), generator)
        flux = [
            2 * math.pi * width**2 * float(params[name])
            for name, width in zip(model.linear_names, model.widths, strict=True)
        ]
        kwargs = {
            "amp": np.array(flux),
            "sigma": np.array(model.widths),
            "e1": float(params["e1"]),
            "e2": float(params["e2"]),
            "center_x": float(params["x0"]),
            "center_y": float(params["y0"]),
        }
        x, y = 4 * torch.rand(2, 500, generator=generator, dtype=torch.float64) - 2
        ours = model.surface_brightness(x, y, params).numpy()
        theirs = reference.surface_brightness(x.numpy(), y.numpy(), [kwargs])
        worst = max(worst, np.abs(ours / theirs - 1).max())
        ratio = float(model.total_flux(params)) / reference.total_flux([kwargs])[0]
        worst_flux = max(worst_flux, abs(ratio - 1))
    report(record_property, "multi-gaussian: relative to lenstronomy's", worst, 1e-10)
    report(record_property, "multi-gaussian: flux", worst_flux, 1e-12)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
def test_basis_is_that_of_one_gaussian_after_the_other(dtype, record_property):
    model = load_plugins().light_models.create("multi-gaussian")
    x, y, params = draw_inputs(model, (3, 20, 24), seed=8)
    params = {name: value.to(dtype) for name, value in params.items()}
    x, y = x.to(dtype), y.to(dtype)
    basis, default = model.basis(x, y, params), LightModel.basis(model, x, y, params)
    assert basis.shape == default.shape == (3, 18, 20, 24)
    assert basis.dtype == dtype
    error = (basis / default - 1).abs().max()
    limit = 200 * torch.finfo(dtype).eps  # the exponent may be a hundred
    report(record_property, f"multi-gaussian: basis in {dtype}", float(error), limit)


def test_derivatives_of_the_basis_are_those_of_finite_differences():
    model = MultiGaussian(number=3, smallest=0.2, largest=1.0)
    x, y, params = draw_inputs(model, (2, 3, 3), seed=9)
    names = ["e1", "e2", "x0", "y0"]
    inputs = [tensor.clone().requires_grad_() for tensor in (x, y, *map(params.get, names))]

    def basis(x, y, *shape):
        return model.basis(x, y, params | dict(zip(names, shape, strict=True)))

    assert torch.autograd.gradcheck(basis, inputs, rtol=1e-6, atol=1e-8)


def test_basis_does_not_depend_on_the_amplitudes():
    model = MultiGaussian(number=4)
    x, y, params = draw_inputs(model, (2, 6, 6), seed=10)
    other = params | {name: -7 * params[name] for name in model.linear_names}
    assert torch.equal(model.basis(x, y, params), model.basis(x, y, other))


def test_outskirts_of_narrow_gaussians_are_normal_numbers(dtype):
    """Subnormal numbers are slow; below them zero times infinity lurks."""
    model = load_plugins().light_models.create("multi-gaussian")
    for each in (dtype, torch.float32):
        x = torch.linspace(0, 40, 2001, dtype=each).view(1, 1, -1)
        params = {p.name: torch.zeros((1, 1, 1), dtype=each) for p in model.parameters}
        basis = model.basis(x, torch.zeros_like(x), params)
        assert float(basis.min()) >= torch.finfo(each).tiny
        assert float(basis[0, 0, 0, -1]) < 1e-30


@pytest.mark.parametrize("index, limit", [(1.0, 2e-3), (2.5, 2e-3), (4.0, 5e-3)])
def test_expansion_describes_sersic_profiles(index, limit, record_property):
    """From 0.05 to 3 arcsec, amplitudes solved under non-negativity."""
    model = load_plugins().light_models.create("multi-gaussian")
    radius = torch.logspace(math.log10(0.05), math.log10(3.0), 200, dtype=torch.float64)
    x, y = radius.view(1, 1, -1), torch.zeros(1, 1, 200).double()
    basis = model.basis(x, y, at(model, [1.0] * 18))[0, :, 0].T.numpy()
    zero = torch.zeros(()).double()
    profile = (
        sersic_brightness(x, y, zero + 1, zero + 0.8, zero + index, zero, zero)
        .flatten()
        .numpy()
    )
    amplitudes, _ = nnls(basis / profile[:, None], np.ones(200))
    deviation = np.abs(basis @ amplitudes / profile - 1)
    name = f"multi-gaussian: root mean square of a Sersic profile of index {index}"
    report(record_property, name, math.sqrt((deviation**2).mean()), limit)


def test_rendered_image_agrees_with_much_finer_sub_pixels(record_property):
    """The core's edge lies inside the frame; the narrowest width is 0.6 of a pixel."""
    plugins = load_plugins()
    light = plugins.light_models.create("multi-gaussian")
    system = LensSystem(plugins.lens_models.resolve("sis"), light)
    shape, scale, fine = (49, 44), 0.05, 16
    zeros = torch.zeros(1, *shape, dtype=torch.float64)
    profile = torch.exp(-0.5 * (torch.arange(-5, 6).double() / 0.9) ** 2)
    kernel = (profile[:, None] * profile / profile.sum() ** 2)[None]
    data = ImageData(zeros, zeros + 1, zeros + 1, kernel, 1, torch.tensor([scale]).double())
    model = ForwardModel(system, data)
    # falling as the inverse of the radius, as the middle of an elliptical galaxy does
    params = at(light, [0.1 / s for s in light.widths], e1=0.15, e2=-0.1, x0=0.21, y0=-0.13)
    zero = zeros[:, 0, 0]
    lens = {"theta_E": zero + 1, "x0": zero, "y0": zero}
    values = system.stack(lens, {name: value[:, 0, 0] for name, value in params.items()})
    core = model.light_core(values)
    assert core is not None
    image = model.lens_light(values)

    brightness = light.surface_brightness(*model.positions(fine), params)
    height, width = (n + 2 * model.margin for n in shape)
    pixels = brightness.view(1, height, fine, width, fine).mean(dim=(2, 4)) * scale**2
    expected = torch.nn.functional.conv2d(pixels[:, None], kernel[:, None])[:, 0]
    assert expected.shape == image.shape
    error = ((image - expected).abs() / expected)[0]
    top, bottom, left, right = (edge - model.margin for edge in core)
    inside = torch.zeros_like(error, dtype=torch.bool)
    inside[max(top, 0) : bottom, max(left, 0) : right] = True
    assert not inside.all()
    name = "multi-gaussian: rendered image,"
    report(record_property, f"{name} beyond the core", float(error[~inside].max()), 2e-4)
    report(record_property, f"{name} in the core", float(error[inside].max()), 2e-3)
    report(record_property, f"{name} flux", abs(float(image.sum() / expected.sum() - 1)), 2e-5)


def test_derivatives_in_both_directions_are_those_of_the_terms(generator):
    """Forward, backward and of second order, with respect to shape and amplitudes.

    Two galaxies of one shape differ in brightness alone, so that what depends on the shape
    is shared.
    """
    model = MultiGaussian(number=3, smallest=0.1, largest=0.8)
    x, y = torch.rand(2, 1, 4, 3, generator=generator, dtype=torch.float64) - 0.5
    names = [p.name for p in model.parameters]

    def brightness(*values):
        params = {n: v.reshape(-1, 1, 1) for n, v in zip(names, values, strict=True)}
        return model.surface_brightness(x, y, params)

    start = [[2.0, 3.0], [1.0, 0.2], [0.5, 0.7], [0.1], [-0.2], [0.03], [0.01]]
    values = [torch.tensor(v, dtype=torch.float64, requires_grad=True) for v in start]
    checks = {"check_forward_ad": True, "check_batched_grad": True}
    assert torch.autograd.gradcheck(brightness, values, **checks)
    assert torch.autograd.gradgradcheck(brightness, values)
