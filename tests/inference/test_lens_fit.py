"""The design matrix and its derivatives against the forward model."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
import torch

from astrorim.inference.lens_fit import LensFit
from astrorim.inference.whitening import proper_correlation
from astrorim.lensing.forward import ForwardModel, ImageData
from astrorim.lensing.interpolation import SourceFrames
from astrorim.lensing.system import LensSystem
from astrorim.plugins import load_plugins

VALUES = torch.tensor(
    [[0.5, 0.1, 0.05, 0.01, -0.02, 0.03, -0.04, 7.0, 0.3, 2.0, 0.1, 0.0, 0.01, 0.0]]
).double()
SIZE = 8


@pytest.fixture
def system():
    plugins = load_plugins()
    return LensSystem(
        plugins.lens_models.resolve("sie+shear"), plugins.light_models.create("sersic")
    )


@pytest.fixture
def frames():
    return SourceFrames(
        torch.tensor([[0.02, -0.03]]).double(), torch.tensor([0.05]).double(), SIZE
    )


def _model(system, psf_supersampling):
    generator = torch.Generator().manual_seed(3)
    noise = 0.5 + torch.rand(1, 21, 23, generator=generator).double()
    axis = torch.arange(-4, 5).double()
    psf = torch.exp(-(axis[:, None] ** 2 + (axis - 0.3) ** 2) / 6)
    data = ImageData(
        image=torch.randn(1, 21, 23, generator=generator).double(),
        noise=noise,
        good=torch.ones_like(noise),
        psf=(psf / psf.sum())[None],
        psf_supersampling=psf_supersampling,
        pixel_scale=torch.tensor([0.08]).double(),
    )
    return ForwardModel(system, data)


def test_problem_holds_source_and_light_in_units_of_the_noise(system, frames):
    model = _model(system, 1)
    used = torch.rand(21, 23, generator=torch.Generator().manual_seed(2)) > 0.3
    fit = LensFit(model, used, SIZE)
    problem = fit.problem(VALUES, frames)
    source = torch.rand(1, SIZE, SIZE, generator=torch.Generator().manual_seed(1)).double()
    unknowns = torch.cat([source.flatten(), VALUES[0, fit.linear]])
    image = model.source_operator(VALUES, frames).apply(source)[0]
    core = None  # the same sub-pixels everywhere, as in the design matrix
    image = image + model.observe(model.light_scene(VALUES, core), model.sampling)[0]
    expected = (image / model.data.noise[0])[used]
    torch.testing.assert_close(problem.design @ unknowns, expected, rtol=1e-9, atol=1e-12)
    torch.testing.assert_close(problem.data, (model.data.image / model.data.noise)[0][used])


def test_light_is_convolved_on_the_grid_of_the_psf(system):
    """However coarse the convolution of the arcs is; a cusp shows the difference."""
    model = _model(system, 4)
    coarse = model.changed(sampling=1)
    fit = LensFit(coarse, torch.ones(21, 23, dtype=torch.bool), SIZE)
    exact = model.observe(model.light_scene(VALUES, None), model.sampling)
    amplitudes = VALUES[0, fit.linear]
    image = torch.tensordot(amplitudes, fit.light_design(VALUES), dims=1)
    torch.testing.assert_close(image, exact[0], rtol=1e-9, atol=1e-12)
    blurred = coarse.observe(coarse.light_scene(VALUES, None), coarse.sampling)
    assert float((blurred - exact).abs().max() / exact.max()) > 1e-3


def test_jacobian_is_that_of_finite_differences(system, frames):
    model = _model(system, 1)
    fit = LensFit(model, torch.ones(21, 23, dtype=torch.bool), SIZE)
    inversion = fit.problem(VALUES, frames).invert(1e-2)
    jacobian = fit.jacobian(VALUES, frames, inversion)
    step = 1e-7
    for column, parameter in enumerate(fit.nonlinear):
        if parameter >= system.num_lens:  # light cores are rendered more finely there
            continue
        ends = []
        for sign in (-1, 1):
            values = VALUES.clone()
            values[0, parameter] += sign * step
            ends.append(fit.problem(values, frames).design @ inversion.mean)
        numerical = (ends[1] - ends[0]) / (2 * step)
        scale = float(numerical.abs().max())
        torch.testing.assert_close(
            jacobian[:, column] / scale, numerical / scale, rtol=0, atol=2e-5
        )


def test_slope_of_the_misfit_is_that_of_the_jacobian(system, frames):
    """By reverse differentiation, of all non-linear parameters, light included."""
    model = _model(system, 1)
    fit = LensFit(model, torch.ones(21, 23, dtype=torch.bool), SIZE)
    inversion = fit.problem(VALUES, frames).invert(1e-2)
    jacobian = fit.jacobian(VALUES, frames, inversion)
    slope = fit.misfit_slope(VALUES, frames, inversion)
    expected = -jacobian.mT @ inversion.residual
    assert float(expected.abs().min()) > 0
    torch.testing.assert_close(slope, expected.double(), rtol=1e-9, atol=1e-9)
    dark = LensFit(model, torch.ones(21, 23, dtype=torch.bool), 0)
    inversion = dark.problem(VALUES, None).invert(1.0)
    slope = dark.misfit_slope(VALUES, None, inversion)
    assert bool((slope[: system.num_lens] == 0).all())
    assert float(slope[system.num_lens :].abs().max()) > 0


def test_too_few_pixels_are_refused(system):
    model = _model(system, 1)
    with pytest.raises(ValueError, match="more pixels than parameters, got 0 unmasked"):
        LensFit(model, torch.zeros(21, 23, dtype=torch.bool), SIZE)


def test_source_may_be_as_bright_as_the_faintest_where_nothing_is_expected(system, frames):
    """Of an isolated pixel the prior's penalty goes as the inverse square of that."""
    model = _model(system, 1)
    used = torch.ones(21, 23, dtype=torch.bool)

    def expected(x, y):
        return torch.exp(-((x - 0.02) ** 2 + (y + 0.03) ** 2) / (2 * 0.05**2))

    x, y = frames.coordinates()
    relative = (expected(x, y) / expected(x, y).max()).flatten()
    penalties = {}
    for faintest in (0.03, 0.001):
        fit = LensFit(model, used, SIZE, expected=expected, faintest=faintest)
        penalties[faintest] = fit.problem(VALUES, frames).smoothness.diagonal()
    ratio = ((relative + 0.03) / (relative + 0.001)) ** 2
    torch.testing.assert_close(penalties[0.001] / penalties[0.03], ratio)
    assert float(ratio[0]) > 500
    assert float(ratio.min()) < 1.1


@pytest.mark.parametrize("signal", [30.0, 100.0])
def test_the_true_source_is_as_probable_as_its_prior_says(signal):
    """Its penalty is about the number of parameters that the data determine.

    A prior with a kink in the brightness that it expects, as a bound to it has, makes the
    true source improbable: four to fourteen times that number for this one.
    """
    system = LensSystem(load_plugins().lens_models.resolve("sie"), None)
    values = torch.zeros(1, len(system.parameters))
    values[0, system.parameters.index_of("theta_E")] = 0.9
    frames = SourceFrames(torch.tensor([[0.05, 0.02]]), torch.tensor([1.6 / 24]), 24)

    def expected(x, y):
        return torch.exp(-torch.hypot(x - 0.05, y - 0.02) / 0.12)

    blank, psf = torch.zeros(1, 64, 64), torch.zeros(1, 3, 3)
    psf[0, 1, 1] = 1
    empty = ImageData(blank, blank + 1, blank + 1, psf, 1, torch.tensor([0.05]))
    model = ForwardModel(system, empty)
    source = expected(*frames.coordinates())
    arcs = model.source_operator(values, frames).apply(source)
    source, arcs = signal / arcs.max() * source, signal / arcs.max() * arcs
    noise = torch.randn(arcs.shape, generator=torch.Generator().manual_seed(1))
    model = model.changed(data=replace(empty, image=arcs + noise))
    fit = LensFit(model, torch.ones(64, 64, dtype=torch.bool), 24, expected=expected)
    problem = fit.problem(values, frames)
    strength = problem.best_strength()
    truth = source.double().flatten()
    penalty = strength * float(truth @ (problem.smoothness @ truth))
    determined = problem.invert(strength).effective_parameters
    assert 0.5 < penalty / determined < 2


def test_correlated_noise_enters_as_its_covariance(system, frames):
    """Solution and chi-square are those of generalised least squares."""
    model = _model(system, 1)
    used = torch.rand(21, 23, generator=torch.Generator().manual_seed(2)) > 0.3
    correlation = np.array([[0.0, 0.2, 0.0], [0.25, 1.0, 0.25], [0.0, 0.2, 0.0]])
    plain = LensFit(model, used, SIZE).problem(VALUES, frames)
    problem = LensFit(model, used, SIZE, correlation=correlation).problem(VALUES, frames)
    row, column = np.nonzero(used.numpy())
    lags = row[:, None] - row, column[:, None] - column
    covariance = torch.from_numpy(proper_correlation(correlation)[lags])
    design = plain.design @ torch.eye(plain.design.shape[1]).double()
    expected = design.mT @ torch.linalg.solve(covariance, design)
    scale = expected.diagonal().sqrt()
    # pixels farther than the whitening reaches are all but independent
    torch.testing.assert_close(
        problem.gram / scale / scale[:, None], expected / scale / scale[:, None],
        rtol=0, atol=5e-3,
    )  # fmt: skip
    expected = design.mT @ torch.linalg.solve(covariance, plain.data)
    torch.testing.assert_close(problem.projected / scale, expected / scale, rtol=0, atol=0.05)


def test_evidence_of_correlated_noise_is_a_density_of_the_data(system, frames):
    """With the whitening's volume, the Gaussian of noise and source together."""
    model = _model(system, 1)
    used = torch.rand(21, 23, generator=torch.Generator().manual_seed(2)) > 0.3
    correlation = np.array([[0.0, 0.2, 0.0], [0.25, 1.0, 0.25], [0.0, 0.2, 0.0]])
    plain = LensFit(model, used, SIZE)
    fit = LensFit(model, used, SIZE, correlation=correlation)
    problem = plain.problem(VALUES, frames)
    solution = fit.problem(VALUES, frames).invert(1e-2)
    row, column = np.nonzero(used.numpy())
    lags = row[:, None] - row, column[:, None] - column
    covariance = torch.from_numpy(proper_correlation(correlation)[lags])
    design = problem.design @ torch.eye(problem.design.shape[1]).double()
    prior = solution.problem.prior_precision(1e-2)
    covariance = covariance + design @ torch.linalg.solve(prior, design.mT)
    data = problem.data.double()
    dense = -0.5 * float(
        data @ torch.linalg.solve(covariance, data)
        + torch.linalg.slogdet(covariance)[1]
        + len(data) * math.log(2 * math.pi)
    )
    assert abs(fit.log_whitening) > 5
    assert solution.log_evidence + fit.log_whitening == pytest.approx(dense, abs=0.5)
    assert plain.log_whitening == 0


def test_changed_fits_keep_what_is_not_named(system):
    model = _model(system, 1)
    used = torch.ones(21, 23, dtype=torch.bool)
    correlation = np.eye(3)[[1, 1, 1]] * np.array([[0.1], [1.0], [0.1]])
    fit = LensFit(model, used, SIZE, "gradient", known={"x0": (0.0, 0.1)}, faintest=0.2,
                  correlation=correlation)  # fmt: skip
    other = fit.changed(size=5)
    assert (other.size, other.smoothness, other.faintest) == (5, "gradient", 0.2)
    assert other.known == {"x0": (0.0, 0.1)}
    assert other.correlation is correlation
