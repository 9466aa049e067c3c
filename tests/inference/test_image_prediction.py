"""Tests of the prediction of images by one another."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from astrorim.inference.image_prediction import predicted_share
from astrorim.inference.lens_fit import LensFit
from astrorim.inference.refinement import evaluate


@pytest.fixture
def solved():
    """Function that solves the source of a `Ring` at its true lens."""

    def solve(ring, keep=None):
        model = ring.model
        if keep is not None:
            clean = torch.where(keep, model.data.image, 0.0)
            model = model.changed(data=replace(model.data, image=clean))
        fit = LensFit(model, ring.used, ring.frames.size)
        strength = fit.problem(ring.values, ring.frames).best_strength()
        return fit, evaluate(fit, ring.values, ring.frames, strength)

    return solve


@pytest.mark.parametrize("num_sectors", [2, 4, 6])
def test_images_of_one_source_predict_one_another(ring, solved, num_sectors):
    assert 0.95 < predicted_share(*solved(ring()), num_sectors) < 1.01


def test_an_arc_without_its_counter_image_is_not_predicted(ring, solved):
    """One half of the ring is erased: what is left has one image each."""
    whole = ring()
    x = torch.arange(whole.side) - (whole.side - 1) / 2
    angle = torch.atan2(x[:, None].expand(whole.side, -1), x.expand(whole.side, -1))
    assert predicted_share(*solved(whole, angle.abs() < 0.6)) < 0.4


def test_share_does_not_depend_on_the_unit(ring, solved):
    bright, faint = ring(signal=50.0), ring(signal=50.0)
    data = faint.model.data
    scaled = replace(data, image=1e3 * data.image, noise=1e3 * data.noise)
    faint.model = faint.model.changed(data=scaled)
    expected = predicted_share(*solved(bright))
    assert predicted_share(*solved(faint)) == pytest.approx(expected, rel=1e-3)


def test_noise_without_a_source_predicts_nothing(ring, solved):
    fit, state = solved(ring(signal=0.0))
    assert predicted_share(fit, state) < 0.6


def test_unfit_requests_are_refused(ring, solved):
    whole = ring()
    fit, state = solved(whole)
    with pytest.raises(ValueError, match="num_sectors must be at least 2, got 1"):
        predicted_share(fit, state, 1)
    bare = LensFit(whole.model, whole.used, 0)
    with pytest.raises(ValueError, match="must have a source"):
        predicted_share(bare, state)
