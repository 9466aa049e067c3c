"""Quality flags say what is wrong, and only where something is."""

from __future__ import annotations

import math

import astropy.units as u
import numpy as np
import pytest

from astrorim.observation.sky_noise import SkyNoise
from astrorim.parameters import Parameter
from astrorim.results.quality import (
    ENCODER_DISAGREEMENT,
    FLAG_ADVICE,
    LENSING_ODDS,
    PREDICTED_SHARE,
    SOURCE_ODDS,
    TRAINING_DISTANCE,
    quality_flags,
)

THETA_E = Parameter("theta_E", "b", u.arcsec, (0.001, 20.0), (0.05, 3.0), "Einstein radius")


def test_a_good_fit_has_no_flag(make_reconstruction):
    assert quality_flags(make_reconstruction(), [THETA_E]) == {}


def test_arcs_of_another_lens_are_flagged(make_reconstruction):
    result = make_reconstruction()
    arcs = result.arcs
    result.forward_image = result.forward_image - arcs + np.roll(arcs, 6, axis=1)
    flags = quality_flags(result)
    assert "arc-misfit" in flags
    assert "expected" in flags["arc-misfit"]


def test_noise_map_one_and_a_half_times_too_large_is_noticed(make_reconstruction):
    result = make_reconstruction()
    result.observation.uncertainty.array = result.observation.uncertainty.array * 1.5
    flags = quality_flags(result)
    assert set(flags) == {"noise-overestimated"}
    assert "0.6" in flags["noise-overestimated"]


def test_noise_map_too_small_does_not_pass_for_a_misfit_of_the_arcs(make_reconstruction):
    """The expectation follows the scatter on blank sky."""
    result = make_reconstruction()
    result.observation.uncertainty.array = result.observation.uncertainty.array / 1.5
    assert result.arc_reduced_chi2 > 1.5
    assert "arc-misfit" not in quality_flags(result)


def test_a_model_without_arcs_is_flagged(make_reconstruction):
    result = make_reconstruction()
    result.forward_image = result.forward_image - result.arcs
    assert "no-arcs" in quality_flags(result)


@pytest.mark.parametrize(
    ("key", "least", "flag"),
    [
        (SOURCE_ODDS, 5.0, "no-source-needed"),
        (LENSING_ODDS, 25.0, "lensing-not-needed"),
        (PREDICTED_SHARE, 0.75, "images-unrelated"),
    ],
)
def test_an_image_that_needs_no_lens_is_flagged(make_reconstruction, key, least, flag):
    result = make_reconstruction()
    assert flag not in quality_flags(result)
    result.provenance[key] = 1.02 * least
    assert flag not in quality_flags(result)
    result.provenance[key] = 0.98 * least
    assert flag in quality_flags(result)
    result.provenance[key] = -math.inf
    assert quality_flags(result)[flag].startswith(FLAG_ADVICE[flag])


@pytest.mark.parametrize(
    ("key", "limit"), [(ENCODER_DISAGREEMENT, 1.75), (TRAINING_DISTANCE, 3.0)]
)
def test_a_lens_unlike_the_training_is_flagged(make_reconstruction, key, limit):
    result = make_reconstruction()
    result.provenance |= {ENCODER_DISAGREEMENT: 1.0, TRAINING_DISTANCE: 1.0}
    assert "outside-training" not in quality_flags(result)
    result.provenance[key] = 1.01 * limit
    text = quality_flags(result)["outside-training"]
    assert text.startswith(FLAG_ADVICE["outside-training"])
    assert f"{1.01 * limit:.1f}" in text


@pytest.mark.parametrize("edge", THETA_E.support)
def test_parameter_at_its_bound_is_named(make_reconstruction, edge):
    result = make_reconstruction()
    result.lens["theta_E"] = edge
    flags = quality_flags(result, [THETA_E])
    assert "theta_E" in flags["parameter-at-bound"]


def test_source_cut_by_its_frame_is_flagged(make_reconstruction):
    result = make_reconstruction()
    source = result.source.copy()
    source[0] = source.max()
    result.source = source
    assert "source-at-edge" in quality_flags(result)


def test_negative_source_is_flagged(make_reconstruction):
    result = make_reconstruction()
    result.source = result.source - 0.2 * result.source.max()
    assert "negative-source" in quality_flags(result)


def test_arcs_that_leave_the_image_are_flagged(make_reconstruction):
    result = make_reconstruction()
    result.forward_image = result.forward_image - result.arcs + np.roll(result.arcs, 25, axis=0)
    assert "arcs-at-frame-edge" in quality_flags(result)


def test_noise_map_too_small_is_noticed(make_reconstruction):
    result = make_reconstruction()
    result.observation.uncertainty.array = result.observation.uncertainty.array / 1.5
    flags = quality_flags(result)
    assert "1.5" in flags["noise-underestimated"]
    assert "residual-structure" not in flags


def test_measured_sky_is_preferred(make_reconstruction):
    """Its expectation replaces that of the residual: here, of a map 1.4 times too small."""
    correlation = np.zeros((9, 9))
    correlation[4, 4] = 1
    sky = SkyNoise(0.0, 0.006, 1.4, correlation, 2000)
    result = make_reconstruction()
    assert set(quality_flags(result, sky=sky)) == {"noise-underestimated"}


def test_arcs_a_fifth_too_faint_are_structure(make_reconstruction):
    """Chi-square of 1.2 alone would not say so."""
    result = make_reconstruction()
    result.forward_image = result.forward_image - 0.2 * result.arcs
    flags = quality_flags(result)
    assert set(flags) == {"residual-structure"}
    assert "sigma" in flags["residual-structure"]


def test_neighbour_in_the_residual_is_counted(make_reconstruction):
    result = make_reconstruction()
    y, x = np.indices(result.forward_image.shape)
    result.observation.data += 0.1 * np.exp(-((y - 12) ** 2 + (x - 84) ** 2) / 8)
    assert "(1 found)" in quality_flags(result)["unmodelled-neighbour"]


def test_lens_smaller_than_the_psf_is_unresolved(make_reconstruction):
    result = make_reconstruction()
    result.lens["theta_E"] = 0.1
    assert "0.1 arcsec against" in quality_flags(result)["unresolved"]


def test_source_with_a_single_image_is_flagged(make_reconstruction):
    result = make_reconstruction()
    result.lens["x0"] += 1.6
    assert "source-offset" in quality_flags(result)


def test_faint_arcs_are_flagged(make_reconstruction):
    result = make_reconstruction()
    arcs = result.arcs
    result.observation.data -= 0.8 * arcs.astype("f4")
    result.forward_image = result.forward_image - 0.8 * arcs
    flags = quality_flags(result)
    assert "signal to noise" in flags["low-signal"]
    assert "no-arcs" not in flags


def test_every_flag_has_advice(make_reconstruction):
    result = make_reconstruction()
    result.forward_image = result.forward_image * 0
    for name, text in quality_flags(result).items():
        assert text.startswith(FLAG_ADVICE[name])


def test_mass_beside_its_light_is_flagged(make_reconstruction):
    result = make_reconstruction()
    result.light["x0"] = result.lens["x0"] + 0.03
    assert "mass-offset" not in quality_flags(result)
    result.light["x0"] = result.lens["x0"] + 0.25
    assert "0.25 arcsec" in quality_flags(result)["mass-offset"]


def test_ring_beyond_the_image_is_flagged(make_reconstruction):
    result = make_reconstruction()
    grid = result.observation.grid
    half = min(grid.shape) / 2 * grid.pixel_scale
    result.lens["theta_E"] = 0.95 * half
    assert "ring-outside-frame" not in quality_flags(result)
    result.lens["theta_E"] = 1.05 * half
    assert "use a larger cutout" in quality_flags(result)["ring-outside-frame"]
