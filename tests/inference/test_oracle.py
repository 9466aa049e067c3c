"""The best linear inversion with the lens known."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from astropy.nddata import StdDevUncertainty

from astrorim.grid import SourceGrid
from astrorim.inference.oracle import OracleOptions, oracle_inversion, source_on_grid
from astrorim.inference.true_model import true_model
from astrorim.lensing.interpolation import SourceFrames
from astrorim.observation import LensObservation
from astrorim.results import metrics

SMALL = OracleOptions(size=24, search_size=16, stretches=(0.0, 6.0), widths=(1.0,))


@pytest.fixture(scope="module")
def oracle(small_truth):
    return oracle_inversion(small_truth, SMALL)


def _error(found, truth):
    source, grid = truth.resolvable
    return metrics.source_error(source_on_grid(found.source, found.frames, grid), source)


def test_the_oracle_explains_the_image_and_finds_the_source(oracle, small_truth):
    assert abs(oracle.reduced_chi2 / oracle.expected_reduced_chi2 - 1) < 0.1
    assert _error(oracle, small_truth) < 0.3


def test_the_true_source_is_not_looked_at(oracle, small_truth):
    blind = replace(small_truth, source=np.zeros_like(small_truth.source))
    np.testing.assert_array_equal(oracle_inversion(blind, SMALL).source, oracle.source)


def test_without_noise_a_source_of_the_frame_is_found_exactly(oracle, small_truth):
    """An image rendered from pixels, handed in without noise and with a small error bar."""
    frames, true = oracle.frames, oracle.true
    x, y = frames.coordinates()
    x0, y0 = frames.centre[0]
    width = 0.3 * float(frames.half)
    pixels = torch.exp(-((x - x0) ** 2 + (y - y0) ** 2) / (2 * width**2))
    whole = true_model(small_truth, fit_light=False)
    arcs = whole.model.source_operator(whole.values, frames).apply(pixels)[0]
    observation = small_truth.observation
    data = arcs.numpy() + small_truth.lens_light
    noiseless = LensObservation(
        data,
        unit=observation.unit,
        uncertainty=StdDevUncertainty(np.full(data.shape, 1e-3 * float(arcs.max()))),
        wcs=observation.wcs,
        psf=observation.psf,
        psf_supersampling=observation.psf_supersampling,
    )
    truth = replace(small_truth, observation=noiseless)
    found = oracle_inversion(truth, SMALL)
    grid = SourceGrid((40, 40), 2 * float(frames.half) / 60, float(x0), float(y0))
    expected = source_on_grid(pixels[0].numpy(), frames, grid)
    error = source_on_grid(found.source, found.frames, grid) - expected
    assert np.linalg.norm(error) < 0.01 * np.linalg.norm(expected)
    assert true.unit_flux != found.true.unit_flux


def test_more_evidence_never_comes_from_fewer_choices(oracle, small_truth):
    one = replace(SMALL, kinds=("gradient",))
    assert oracle_inversion(small_truth, one).log_evidence <= oracle.log_evidence + 1e-6


@pytest.mark.parametrize("stretch", [0.0, 15.0])
def test_a_plane_stays_a_plane_on_a_grid(stretch):
    frames = SourceFrames(
        torch.tensor([[0.1, -0.2]]).double(), torch.tensor([0.02]).double(), 50, stretch
    )
    x, y = frames.coordinates()
    grid = SourceGrid((9, 11), 0.05, 0.12, -0.18)
    found = source_on_grid((1 + 2 * x - 3 * y)[0].numpy(), frames, grid)
    gx, gy = grid.coordinates()
    # between pixels of growing size the interpolation is linear in the pixel, not the angle
    tolerance = 1e-9 if stretch == 0 else 0.02
    np.testing.assert_allclose(found, 1 + 2 * gx - 3 * gy, rtol=0, atol=tolerance)


def test_nothing_to_choose_from_is_refused():
    with pytest.raises(ValueError, match="stretches must give at least one .* got none"):
        OracleOptions(stretches=())
