"""Neighbours and cosmic rays are masked; arcs and the lens are kept."""

from __future__ import annotations

import numpy as np
import pytest
from astropy.io import fits
from scipy.ndimage import binary_dilation

from astrorim.interchange import to_observation
from astrorim.observation import LensObservation
from astrorim.observation.detection import central_distance
from astrorim.observation.masking import (
    cosmic_ray_mask,
    default_keep_radius,
    neighbour_mask,
)
from astrorim.plugins import load_plugins

SCALE = 0.08
SHAPE = (150, 140)


def galaxy(x0, y0, height, width):
    y, x = np.indices(SHAPE, dtype=float)
    radius = np.hypot(x - (SHAPE[1] - 1) / 2 - x0 / SCALE, y - (SHAPE[0] - 1) / 2 - y0 / SCALE)
    return height * np.exp(-0.5 * (radius / width) ** 2)


def arc(radius, height, angle=0.5, opening=0.6):
    y, x = np.indices(SHAPE, dtype=float)
    x, y = (x - (SHAPE[1] - 1) / 2) * SCALE, (y - (SHAPE[0] - 1) / 2) * SCALE
    ring = np.exp(-0.5 * ((np.hypot(x, y) - radius) / 0.15) ** 2)
    away = np.angle(np.exp(1j * (np.arctan2(y, x) - angle)))
    return height * ring * np.exp(-0.5 * (away / opening) ** 2)


@pytest.fixture
def make_lens(rng, make_psf):
    def make(extra=0.0, **options):
        lens = galaxy(0, 0, 400, 4) + arc(1.4, 15)
        noise = np.sqrt(1 + lens / 20)
        image = lens + extra + noise * rng.normal(size=SHAPE)
        return LensObservation(
            image, unit="electron/s", uncertainty=noise, psf=make_psf(), pixel_scale="80 mas",
            **options,
        )  # fmt: skip

    return make


@pytest.fixture(scope="module")
def simulated():
    return load_plugins().simulators.create("foundation").simulate(4, seed=10**9 + 5)


def test_neighbour_is_masked_and_the_lens_is_kept(make_lens):
    neighbour = galaxy(3.6, -3.0, 30, 3)
    mask = neighbour_mask(make_lens(neighbour), keep_radius=2.0)
    assert mask[neighbour > 2].all()
    assert mask.sum() < 0.05 * mask.size
    assert not mask[arc(1.4, 15) > 0.5].any()


def test_nothing_inside_the_radius_is_masked(make_lens):
    star = galaxy(-1.2, 1.2, 100, 1.2)
    observation = make_lens(star)
    mask = neighbour_mask(observation, keep_radius=2.0)
    assert not mask[central_distance(observation) <= 2].any()
    assert neighbour_mask(observation, keep_radius=1.0)[star > 20].any()


def test_arc_that_reaches_beyond_the_radius_is_kept_whole(make_lens):
    far = arc(1.95, 15, angle=3.5)
    mask = neighbour_mask(make_lens(far), keep_radius=2.0)
    assert not mask[far > 2].any()


@pytest.mark.parametrize(("tilt", "kept"), [(90, True), (0, False)])
def test_object_stretched_around_the_lens_may_be_an_arc(tilt, kept, make_lens):
    """Just outside the radius and away from arcs: kept if tangential, masked if radial."""
    y, x = np.indices(SHAPE, dtype=float)
    x, y = (x - (SHAPE[1] - 1) / 2) * SCALE + 2.6, (y - (SHAPE[0] - 1) / 2) * SCALE
    along = x * np.cos(np.radians(tilt)) + y * np.sin(np.radians(tilt))
    across = y * np.cos(np.radians(tilt)) - x * np.sin(np.radians(tilt))
    light = 15 * np.exp(-0.5 * ((along / 0.3) ** 2 + (across / 0.12) ** 2))
    mask = neighbour_mask(make_lens(light), keep_radius=2.15)
    assert mask[light > 8].any() == (not kept)


def test_no_neighbour_no_mask(make_lens):
    assert not neighbour_mask(make_lens(), keep_radius=2.0).any()


def test_mask_does_not_depend_on_the_unit_of_flux(make_lens):
    observation = make_lens(galaxy(3.6, -3.0, 30, 3))
    other = observation.multiply(1e-3)
    np.testing.assert_array_equal(neighbour_mask(other), neighbour_mask(observation))


def test_radius_grows_with_the_frame(make_lens):
    observation = make_lens()
    np.testing.assert_allclose(default_keep_radius(observation), 0.25 * 140 * SCALE)
    assert default_keep_radius(observation[40:110, 35:105]) == 2.6


@pytest.mark.parametrize("option", ["keep_radius", "threshold", "growth"])
def test_options_of_neighbours_are_checked(option, make_lens):
    with pytest.raises(ValueError, match=f"{option} must be positive, got -1"):
        neighbour_mask(make_lens(), **{option: -1})


@pytest.mark.parametrize("index", range(4))
def test_clean_simulated_lens_has_no_mask(index, simulated):
    observation = to_observation(simulated, index)
    assert not cosmic_ray_mask(observation).any()
    assert not neighbour_mask(observation).any()


@pytest.mark.parametrize("index", range(4))
def test_cosmic_rays_are_found(index, simulated, rng):
    """Single pixels and a track of 30 sigma off the arcs, and nothing beyond their margins.

    Those on arcs as bright as themselves may be missed: there the arcs are protected.
    """
    observation = to_observation(simulated, index)
    hits = np.zeros(observation.shape, dtype=bool)
    hits[tuple(rng.integers(5, 91, (2, 8)))] = True
    steps = np.arange(10)
    hits[2 + steps // 2, 4 + steps] = True
    observation.data = observation.data + 30 * hits * observation.noise
    mask = cosmic_ray_mask(observation)
    dark = hits & (np.asarray(simulated.noise_free[index]) < 10 * observation.noise)
    assert dark.sum() > 5
    assert (mask & dark).sum() >= 0.9 * dark.sum()
    assert not (mask & ~binary_dilation(hits, np.ones((3, 3)), iterations=2)).any()


def test_cosmic_rays_of_a_map_without_noise_are_found(make_lens):
    observation = make_lens()
    observation.uncertainty = None
    observation.data[20, 30] += 50
    mask = cosmic_ray_mask(observation)
    assert mask[20, 30]
    far = central_distance(observation) > 2
    assert (mask & far).sum() <= 9


def test_masked_cosmic_rays_are_not_repeated(make_lens):
    mask = np.zeros(SHAPE, dtype=bool)
    mask[18:23, 28:33] = True
    observation = make_lens(mask=mask)
    observation.data[20, 30] += 50
    assert not (cosmic_ray_mask(observation) & mask).any()


@pytest.mark.parametrize("option", ["significance", "contrast"])
def test_options_of_cosmic_rays_are_checked(option, make_lens):
    with pytest.raises(ValueError, match=f"{option} must be positive, got 0"):
        cosmic_ray_mask(make_lens(), **{option: 0})


def read_slacs(folder, *, flagged=True):
    noise = fits.getdata(folder / "noise.fits").astype(float)
    if not flagged:
        noise[noise > 1e6] = np.median(noise[noise < 1e6])
    return LensObservation.read(
        folder / "image.fits", uncertainty=noise, psf=folder / "psf.fits", unit="electron/s",
        pixel_scale="0.05 arcsec",
    )  # fmt: skip


@pytest.mark.parametrize("name", ["J0252+0039", "J0737+3216", "J1627-0053"])
def test_contaminants_that_others_flagged_are_found(name, shared_data):
    """By flux; flags made by hand are generous, and some hold next to nothing."""
    folder = shared_data / "slacs" / name
    observation = read_slacs(folder, flagged=False)
    flagged = fits.getdata(folder / "noise.fits") > 1e6
    mask = neighbour_mask(observation)
    light = np.clip(observation.data, 0, None)
    assert light[flagged & mask].sum() > 0.8 * light[flagged].sum()
    assert mask.mean() < 0.15


def test_real_arcs_and_cores_are_no_cosmic_rays(shared_data):
    observation = read_slacs(shared_data / "slacs" / "J0946+1006")
    assert not cosmic_ray_mask(observation).any()


def test_single_exposure_is_full_of_cosmic_rays(shared_data):
    path = shared_data / "other" / "hst_cosmic_rays" / "SDSSJ1051+4439.fits"
    observation = LensObservation.read(path)
    mask = cosmic_ray_mask(observation)
    assert 0.004 < mask.mean() < 0.03
    assert mask[118, 98:108].any()  # the long track beside the lens
    assert not mask[75:86, 70:77].any()  # a clump of the arc
