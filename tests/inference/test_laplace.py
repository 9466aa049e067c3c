"""Tests of the Gaussian samples around a solution."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from astrorim.inference.laplace import WIDENED, laplace_samples
from astrorim.inference.lens_fit import LensFit
from astrorim.inference.refinement import RefinementOptions, refine
from astrorim.lensing.forward import ForwardModel, ImageData
from astrorim.lensing.system import LensSystem
from astrorim.plugins import load_plugins
from astrorim.rim.parameter_step import is_positive, to_coordinates


@pytest.fixture(scope="module")
def galaxy():
    """A Sersic galaxy without arcs, fitted."""
    plugins = load_plugins()
    system = LensSystem(
        plugins.lens_models.resolve("sie"), plugins.light_models.create("sersic")
    )
    names = system.parameters.names
    values = torch.zeros(1, len(names))
    chosen = {
        "theta_E": 1.0, "light_amplitude": 30.0, "light_half_light_radius": 0.6,
        "light_sersic_index": 2.0, "light_e1": 0.1,
    }  # fmt: skip
    for name, value in chosen.items():
        values[0, names.index(name)] = value
    index = torch.arange(5) - 2.0
    psf = torch.exp(-0.5 * (index[:, None] ** 2 + index**2))[None]
    blank = torch.zeros(1, 32, 32)
    scale = torch.tensor([0.1])
    data = ImageData(blank, blank + 1, blank + 1, psf / psf.sum(), 1, scale)
    image = ForwardModel(system, data).lens_light(values) * 300
    image = image + torch.randn(image.shape, generator=torch.Generator().manual_seed(3))
    model = ForwardModel(system, ImageData(image, blank + 1, blank + 1, data.psf, 1, scale))
    fit = LensFit(model, torch.ones(32, 32, dtype=torch.bool), 0)
    held = tuple(p.name for p in system.lens.parameters)
    return fit, refine(fit, values, None, held=held, options=RefinementOptions(max_steps=15))


def test_samples_have_the_covariance_of_the_joint_gaussian(galaxy):
    """Nonlinear parameters as the marginal curvature has it, amplitudes by the joint one."""
    fit, state = galaxy
    number = 20000
    draws = laplace_samples(fit, state, number, torch.Generator().manual_seed(0))
    names = fit.model.system.parameters.names
    moving = [i for i in fit.nonlinear if names[i].startswith("light_")]
    columns = [fit.nonlinear.index(i) for i in moving]
    parameters = [fit.model.system.parameters[i] for i in moving]
    positive = is_positive(parameters, draws)
    place = torch.stack([to_coordinates(row, positive) for row in draws[:, moving].double()])
    wanted = state.covariance[columns][:, columns].diagonal().sqrt()
    ratio = place.std(0) / wanted / WIDENED
    assert ratio == pytest.approx(torch.ones(len(moving)), abs=0.05)
    # The joint curvature in the same coordinates, inverted by itself.
    jacobian = fit.jacobian(state.values, None, state.inversion)[:, columns]
    scale = torch.where(positive, state.values[0, moving], 1.0)
    linear = state.inversion.problem.design
    linear = linear @ torch.eye(linear.shape[1])
    design = torch.cat([linear, jacobian * scale], 1).double()
    precision = design.mT @ design
    precision[0, 0] += float(state.inversion.problem.amplitude_precision[0])
    joint = torch.linalg.inv(precision)[0, 0].sqrt()
    amplitude = draws[:, fit.linear[0]].double().std()
    assert float(amplitude / joint) == pytest.approx(WIDENED, abs=0.1)


def test_same_seed_same_samples(galaxy):
    fit, state = galaxy
    first, second = (
        laplace_samples(fit, state, 5, torch.Generator().manual_seed(7)) for _ in range(2)
    )
    assert torch.equal(first, second)


def test_samples_stay_inside_the_supports(galaxy):
    fit, state = galaxy
    wide = replace(state, covariance=state.covariance * 1e8)
    draws = laplace_samples(fit, wide, 50, torch.Generator().manual_seed(0))
    low, high = fit.model.system.supports(state.values)
    assert bool(((draws >= low) & (draws <= high)).all())


def test_a_covariance_is_needed(galaxy):
    fit, state = galaxy
    with pytest.raises(ValueError, match="must have a covariance"):
        laplace_samples(fit, replace(state, covariance=None), 5, torch.Generator())
