"""Kernels have the widths that were drawn, measured on the kernels."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from scipy.interpolate import RectBivariateSpline
from scipy.optimize import brentq

from astrorim.exceptions import SimulationError
from astrorim.plugins import load_plugins
from astrorim_plugins.psfs import MeasuredPSF
from astrorim_plugins.simulators.optics import kernel_size, psf_kernel, with_coma
from astrorim_plugins.simulators.rendering import SuperGrid, fourier_collect


def column(*values):
    return torch.tensor(values, dtype=torch.float64)


def half_maximum_widths(kernel, sampling, angle):
    """Full widths at half maximum, arcsec, along ``angle`` and across."""
    half = kernel.shape[-1] // 2
    axis = np.arange(-half, half + 1) * sampling
    spline = RectBivariateSpline(axis, axis, np.asarray(kernel), kx=5, ky=5)
    widths = []
    for direction in (angle, angle + math.pi / 2):
        x, y = math.cos(direction), math.sin(direction)

        def value(r, x=x, y=y):
            return float(spline(r * y, r * x)[0, 0])

        peak = max(value(r) for r in np.linspace(-sampling, sampling, 401))

        def excess(r, value=value, peak=peak):
            return value(r) - peak / 2

        ends = []
        for step in (-sampling / 2, sampling / 2):
            r = 0.0
            while excess(r) > 0:
                r += step
            ends.append(brentq(excess, r - step, r))
        widths.append(ends[1] - ends[0])
    return widths


CASES = [
    # kind, FWHM, sampling, ellipticity, beta: both ends of every drawn range
    ("gaussian", 0.06, 0.01, 0.0, None),
    ("gaussian", 0.15, 0.01, 0.35, None),
    ("gaussian", 1.2, 0.05, 0.35, None),
    ("gaussian", 0.12, 0.02, 0.35, None),
    ("moffat", 0.06, 0.01, 0.08, 2.8),
    ("moffat", 0.15, 0.01, 0.12, 2.5),
    ("moffat", 0.5, 0.05, 0.35, 4.5),
    ("moffat", 1.2, 0.05, 0.35, 5.0),
    ("airy", 0.07, 0.01, 0.0, None),
    ("airy", 0.15, 0.01, 0.12, None),
]


@pytest.mark.parametrize("coma", [False, True])
@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case[0]}-{case[1]}")
def test_the_width_is_the_one_that_was_drawn(case, coma):
    """1 % for the interpolation of kernels with six elements across their width."""
    kind, fwhm, sampling, ellipticity, beta = case
    angle = 0.6
    params = {"fwhm": fwhm, "ellipticity": ellipticity, "angle": angle}
    params |= {} if beta is None else {"beta": beta}
    size = kernel_size(kind, sampling, params, 129)
    values = {name: column(value) for name, value in params.items()}
    kernel = psf_kernel(kind, column(sampling), size, values)
    if coma:
        kernel = with_coma(kernel, column(sampling), column(fwhm))
    assert kernel.shape == (1, size, size)
    assert float(kernel.sum()) == pytest.approx(1, rel=1e-12)
    along, across = half_maximum_widths(kernel[0], sampling, angle)
    assert math.sqrt(along * across) == pytest.approx(fwhm, rel=0.01)
    assert across / along == pytest.approx(1 - ellipticity, rel=0.01)


def test_a_batch_has_its_own_parameters_and_passes_over_those_of_other_kinds():
    params = {"fwhm": column(0.08, 0.1), "beta": column(3.0, 4.0)}
    both = psf_kernel("moffat", column(0.01, 0.02), 31, params)
    alone = psf_kernel("moffat", column(0.02), 31, {n: v[1:] for n, v in params.items()})
    torch.testing.assert_close(both[1:], alone)
    round_ = {**params, "ellipticity": column(0.0, 0.0), "angle": column(0.0, 0.0)}
    torch.testing.assert_close(both, psf_kernel("moffat", column(0.01, 0.02), 31, round_))
    assert psf_kernel("gaussian", column(0.01, 0.02), 31, params).shape == (2, 31, 31)


def test_a_measured_stamp_is_a_kernel(generator):
    stamp = torch.rand((9, 9), generator=generator, dtype=torch.float64)
    psf = MeasuredPSF(stamp.numpy(), 0.01)
    assert kernel_size(psf, 0.01, {}, 101) == 9
    kernel = psf_kernel(psf, column(0.01), 9, {})
    torch.testing.assert_close(kernel[0], stamp / stamp.sum())


@pytest.mark.parametrize(
    ("fwhm", "needed", "held"), [(0.07, 497, 0.9904), (0.1, 711, 0.9862), (0.15, 1065, 0.9794)]
)
def test_light_that_a_cut_airy_kernel_holds(fwhm, needed, held):
    """The numbers of the documentation; 2049 elements hold over 99.7 %."""
    widest = {"fwhm": fwhm}
    assert kernel_size("airy", 0.01, widest, 2001) == needed
    assert kernel_size("airy", 0.01, widest, 257) == 257
    airy = load_plugins().psfs.create("airy")
    direction = torch.arange(1440, dtype=torch.float64) * (2 * math.pi / 1440) + 1e-3
    reach = torch.maximum(direction.cos().abs(), direction.sin().abs())
    encircled = airy.encircled((257 / 2 * 0.01 / reach) ** 2, {"fwhm": column(fwhm)})
    assert float(encircled.mean()) == pytest.approx(held, abs=1e-4)


def test_gaussians_and_moffats_hold_what_is_asked_for():
    params = {"fwhm": 0.12, "ellipticity": 0.35, "beta": 2.8}
    for kind in ("gaussian", "moffat"):
        size = kernel_size(kind, 0.01, params, 999)
        values = {name: column(value) for name, value in params.items()}
        wide = psf_kernel(kind, column(0.01), 1201, values)[0]
        edge = (1201 - size) // 2
        assert 0.995 <= float(wide[edge:-edge, edge:-edge].sum()) < 0.997


def test_coma_moves_the_centroid_along_x_as_documented():
    fwhm, sampling = column(0.08, 0.15), column(0.005, 0.005)
    kernel = psf_kernel("gaussian", sampling, 161, {"fwhm": fwhm})
    lopsided = with_coma(kernel, sampling, fwhm)
    place = (torch.arange(161, dtype=torch.float64) - 80) * 0.005
    along_x = (lopsided.sum(dim=1) * place).sum(dim=1)
    along_y = (lopsided.sum(dim=2) * place).sum(dim=1)
    torch.testing.assert_close(along_x, 0.0112 * fwhm, rtol=0.01, atol=0)
    torch.testing.assert_close(along_y, torch.zeros_like(along_y), rtol=0, atol=1e-12)
    ratio = lopsided / kernel
    ratio = ratio / ratio[:, 80:81, 80:81]
    torch.testing.assert_close(ratio.amax(dim=(1, 2)), column(1.05, 1.05))
    torch.testing.assert_close(ratio.amin(dim=(1, 2)), column(0.95, 0.95))


def test_the_orientation_of_coma_survives_the_convolution():
    """A point becomes the kernel, not its mirror image."""
    grid = SuperGrid((15, 15), 0.01, 1, margin=7)
    scene = torch.zeros((1, 1, 29, 29), dtype=torch.float64)
    scene[..., 14, 14] = 1 / grid.spacing**2
    step, fwhm = column(0.01), column(0.04)
    kernel = with_coma(psf_kernel("gaussian", step, 15, {"fwhm": fwhm}), step, fwhm)
    torch.testing.assert_close(fourier_collect(scene, kernel, grid)[:, 0], kernel)


def test_missing_parameters_and_even_sizes_are_refused():
    with pytest.raises(SimulationError, match="must hold beta for the PSF 'moffat', got fwhm"):
        psf_kernel("moffat", column(0.01), 9, {"fwhm": column(0.1)})
    with pytest.raises(SimulationError, match="most must be a positive odd number.* got 256"):
        kernel_size("airy", 0.01, {"fwhm": 0.1}, 256)
