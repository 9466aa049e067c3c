from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from astrorim.lensing import ForwardModel, SourceFrames
from astrorim.rim.parameter_step import (
    curvature_factors,
    from_coordinates,
    gauss_newton_step,
    is_positive,
    to_coordinates,
)

PERTURBATION = {
    "theta_E": 0.02,
    "e1": 0.02,
    "e2": -0.02,
    "x0": 0.01,
    "y0": -0.01,
    "gamma1": 0.01,
    "gamma2": 0.01,
    "light_amplitude": 1.0,
    "light_half_light_radius": 0.01,
    "light_sersic_index": 0.1,
    "light_e1": 0.02,
    "light_e2": -0.02,
    "light_x0": 0.005,
    "light_y0": -0.005,
}


@pytest.fixture
def frames(simulated):
    scale = torch.full_like(simulated.pixel_scale, 0.012)
    return SourceFrames(simulated.source_centre, scale, 96)


@pytest.fixture
def source(simulated, frames):
    return simulated.source(*frames.coordinates())


@pytest.fixture
def exact(system, data, values, frames, source):
    """Model whose data are its own noise-free image of the source."""
    model = ForwardModel(system, data)
    return ForwardModel(system, replace(data, image=model.render(source, values, frames)))


@pytest.fixture
def perturbation(system, values):
    return values.new_tensor([PERTURBATION[p.name] for p in system.parameters]).expand_as(
        values
    )


@pytest.fixture
def place(system, values):
    """Step coordinates of parameters."""
    return lambda own: to_coordinates(own, is_positive(system.parameters, values))


@pytest.fixture
def loose(place):
    """No prior and no limit to speak of."""

    def options(values):
        return {
            "prior_precision": torch.full_like(values, 1e-12),
            "prior_mean": place(values),
            "limits": torch.full_like(values, 1e6),
        }

    return options


def test_positive_parameters_step_in_their_logarithm(system, values):
    positive = is_positive(system.parameters, values)
    names = [name for name, p in zip(system.parameters.names, positive, strict=True) if p]
    assert names == [
        "theta_E",
        "light_amplitude",
        "light_half_light_radius",
        "light_sersic_index",
    ]
    coordinates = to_coordinates(values, positive)
    torch.testing.assert_close(coordinates[:, 0], values[:, 0].log(), rtol=0, atol=0)
    assert torch.equal(coordinates[:, 1:7], values[:, 1:7])
    back = from_coordinates(coordinates, positive)
    torch.testing.assert_close(back, values, rtol=1e-14, atol=0)


def test_coordinates_of_vanishing_light_are_finite(system, values):
    dark = values.clone()
    dark[:, system.parameters.index_of("light_amplitude")] = 0
    assert torch.isfinite(to_coordinates(dark, is_positive(system.parameters, dark))).all()


# the factors are evaluated with the PSF at the detector's sampling, for which the second
# one, of half a pixel, is too sharp
@pytest.mark.parametrize("psf_supersampling, lens, light", [(1, 0.01, 1e-5), (2, 0.1, 0.35)])
def test_curvature_factors_agree_with_finite_differences_of_the_image(
    system, data, values, frames, source, deviation, psf_supersampling, lens, light
):
    model = ForwardModel(system, replace(data, psf_supersampling=psf_supersampling))
    factors = curvature_factors(model, source, values, frames)
    assert factors.shape == (3, len(system.parameters), 32, 32)
    for column, parameter in enumerate(system.parameters):
        limit = lens if column < system.num_lens else light
        h = 1e-5 * max(1.0, float(values[:, column].abs().max()))
        step = torch.zeros_like(values)
        step[:, column] = h
        up, down = (model.render(source, values + sign * step, frames) for sign in (1, -1))
        finite = (up - down) / (2 * h)
        # in the norm that the curvature uses
        error = ((factors[:, column] - finite) ** 2).sum(dim=(-2, -1))
        error = (error / (finite**2).sum(dim=(-2, -1))).sqrt().max()
        assert deviation(f"derivative in {parameter.name}", error) < limit


@pytest.mark.parametrize("sub_pixels", [1, 2, 4])
def test_factors_are_exact_where_the_image_is_linear(
    system, data, values, frames, source, sub_pixels
):
    model = ForwardModel(system, data, light_supersampling=sub_pixels)
    column = system.parameters.index_of("light_amplitude")
    factor = curvature_factors(model, source, values, frames)[:, column]
    expected = model.lens_light(values) / values[:, column, None, None]
    torch.testing.assert_close(factor, expected, rtol=1e-10, atol=1e-13)


def test_steps_recover_perturbed_parameters(
    exact, values, perturbation, frames, source, loose, deviation
):
    # noise-free, with the true source: each step takes off nearly all of the error
    current = values + perturbation
    chi2 = [float(exact.chi2(exact.render(source, current, frames)).max())]
    for _ in range(5):
        current = gauss_newton_step(exact, source, current, frames, **loose(current)).values
        chi2.append(float(exact.chi2(exact.render(source, current, frames)).max()))
    # far from the truth the error is squared, later it falls by the curvature's own error
    assert chi2[1] < 0.02 * chi2[0]
    assert chi2[2] < 1e-2 * chi2[1]
    assert chi2[3] < 5e-2 * chi2[2]
    assert chi2[4] < 5e-2 * chi2[3]
    error = ((current - values) / perturbation).abs().max()
    assert deviation("remaining error, of the perturbation", error) < 2e-3


def test_step_from_the_truth_stays_there(exact, values, frames, source, loose):
    step = gauss_newton_step(exact, source, values, frames, **loose(values))
    torch.testing.assert_close(step.values, values, rtol=0, atol=1e-9)
    torch.testing.assert_close(step.chi2, torch.zeros_like(step.chi2), rtol=0, atol=1e-9)


def test_step_is_short_enough_for_every_limit_and_keeps_its_direction(
    exact, values, perturbation, frames, source, loose, place
):
    begin = values + perturbation
    free = gauss_newton_step(exact, source, begin, frames, **loose(begin)).values
    free = place(free) - place(begin)
    options = loose(begin) | {"limits": 0.3 * free.abs().amax(dim=0).expand_as(begin)}
    held = gauss_newton_step(exact, source, begin, frames, **options).values
    held = place(held) - place(begin)
    assert (held.abs() <= options["limits"] * (1 + 1e-9)).all()
    ratio = held / free
    torch.testing.assert_close(ratio, ratio[:, :1].expand_as(ratio), rtol=1e-6, atol=0)


def test_strong_prior_holds_the_parameters(exact, values, perturbation, frames, source, loose):
    begin = values + perturbation
    options = loose(begin) | {"prior_precision": torch.full_like(values, 1e16)}
    step = gauss_newton_step(exact, source, begin, frames, **options)
    torch.testing.assert_close(step.values, begin, rtol=0, atol=1e-6)
    spread = step.covariance.diagonal(dim1=1, dim2=2).sqrt()
    torch.testing.assert_close(spread, torch.full_like(spread, 1e-8), rtol=1e-2, atol=0)


def test_prior_pulls_towards_its_mean(exact, values, frames, source, loose, place):
    options = loose(values) | {
        "prior_precision": torch.full_like(values, 1e16),
        "prior_mean": place(values) + 1e-3,
    }
    step = gauss_newton_step(exact, source, values, frames, **options)
    # the damping of the step leaves out a thousandth
    moved = place(step.values) - place(values)
    torch.testing.assert_close(moved, torch.full_like(moved, 1e-3), rtol=2e-3, atol=0)


def test_covariance_is_the_inverse_curvature_in_step_coordinates(
    exact, system, values, frames, source, loose
):
    step = gauss_newton_step(exact, source, values, frames, damping=0.0, **loose(values))
    jacobian = curvature_factors(exact, source, values, frames).flatten(2)
    per_coordinate = torch.where(is_positive(system.parameters, values), values, 1.0)
    jacobian = jacobian * per_coordinate[..., None]
    curvature = (jacobian * exact.data.weight.flatten(1)[:, None]) @ jacobian.mT
    identity = step.covariance @ curvature
    expected = torch.eye(values.shape[1], dtype=values.dtype).expand_as(identity)
    torch.testing.assert_close(identity, expected, rtol=0, atol=1e-6)


def test_values_stay_inside_their_supports(exact, system, values, frames, source, loose):
    low, high = system.supports(values)
    begin = torch.minimum(torch.maximum(values * 3, low), high)
    options = loose(begin) | {
        "prior_mean": begin - 1e6,
        "prior_precision": torch.ones_like(begin),
    }
    step = gauss_newton_step(exact, source, begin, frames, **options)
    assert (step.values >= low).all()
    assert (step.values <= high).all()


def test_masked_pixels_have_no_influence(
    exact, system, values, perturbation, frames, source, loose
):
    good = exact.data.good.clone()
    good[:, 8:12, 4:9] = 0
    masked = replace(exact.data, good=good)
    other = replace(masked, image=torch.where(good > 0, masked.image, 1e9))
    begin = values + perturbation
    steps = [
        gauss_newton_step(ForwardModel(system, d), source, begin, frames, **loose(begin))
        for d in (masked, other)
    ]
    assert torch.equal(steps[0].values, steps[1].values)
    assert torch.equal(steps[0].covariance, steps[1].covariance)


def test_wholly_masked_image_leaves_the_parameters(
    exact, system, values, frames, source, loose
):
    blind = replace(exact.data, good=torch.zeros_like(exact.data.good))
    options = loose(values) | {"prior_precision": torch.ones_like(values)}
    step = gauss_newton_step(ForwardModel(system, blind), source, values, frames, **options)
    torch.testing.assert_close(step.values, values, rtol=0, atol=1e-12)
    assert torch.isfinite(step.covariance).all()
