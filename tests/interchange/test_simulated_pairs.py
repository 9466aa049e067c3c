from __future__ import annotations

import astropy.units as u
import numpy as np
import pytest
import torch
from astropy.io import fits
from astropy.wcs import WCS

from astrorim.grid import ImageGrid, SourceGrid, pixel_scale_of
from astrorim.interchange.simulated_lenses import write_pairs
from astrorim.interchange.simulated_pairs import detector_sources, to_observation
from astrorim.interchange.simulated_truth import pair_names
from astrorim.observation import LensObservation

SEED = 9


@pytest.fixture(scope="module")
def written(simulated, tmp_path_factory):
    directory = tmp_path_factory.mktemp("pairs")
    write_pairs(simulated, directory)
    return directory


def test_an_observation_has_everything_that_was_simulated(simulated):
    observation = to_observation(simulated, 1)
    np.testing.assert_array_equal(observation.data, simulated.image[1])
    np.testing.assert_array_equal(observation.noise, simulated.noise[1])
    np.testing.assert_allclose(observation.psf, simulated.psf[1], rtol=1e-5)
    assert observation.psf_supersampling == 2
    assert observation.unit == u.adu
    assert observation.name == "lensed_00005"
    assert observation.band == "F814W"
    for name in ("z_lens", "z_source"):
        assert getattr(observation, name) == pytest.approx(float(simulated.metadata[name][1]))
    assert observation.gain == 1.5 * u.electron / u.adu
    assert observation.exposure.to_value(u.s) == pytest.approx(
        float(simulated.metadata["exposure"][1])
    )
    assert observation.grid.pixel_scale == pytest.approx(0.04, rel=1e-9)
    observation.check()


def test_a_pair_reads_back_as_it_was_written(simulated, written):
    for i, index in enumerate(simulated.index.tolist()):
        observation = LensObservation.read(written / pair_names(index)[1])
        expected = to_observation(simulated, i)
        np.testing.assert_array_equal(observation.data, expected.data)
        np.testing.assert_array_equal(observation.noise, expected.noise)
        np.testing.assert_array_equal(observation.psf, expected.psf)
        for name in ("unit", "name", "band", "z_lens", "z_source", "psf_supersampling"):
            assert getattr(observation, name) == getattr(expected, name)
        for key, card in expected.meta.items():
            assert observation.meta[key] == card, key


def test_the_header_holds_the_truth_with_units(simulated, written):
    header = LensObservation.read(written / "lensed_00004.fits").meta
    assert header["THETAE"] == pytest.approx(float(simulated.lens["theta_E"][0]))
    assert header["LIGHTX0"] == pytest.approx(float(simulated.light["x0"][0]))
    assert header["SRCMAG"] == pytest.approx(float(simulated.metadata["source_magnitude"][0]))
    assert header.comments["THETAE"].startswith("[arcsec]")
    assert header.comments["LIGHTAMP"].startswith("[adu arcsec-2]")
    assert header["SIMSEED"] == SEED
    assert header["LENSMOD"] == "sie+shear"


def test_the_source_file_holds_the_truth_images(simulated, written):
    with fits.open(written / "source_00005.fits") as hdus:
        np.testing.assert_array_equal(hdus[0].data, simulated.source_image[1])
        np.testing.assert_array_equal(hdus["NOISEFREE"].data, simulated.noise_free[1])
        np.testing.assert_array_equal(hdus["LENSLIGHT"].data, simulated.lens_light[1])
        arcs = simulated.noise_free[1] - simulated.lens_light[1]
        np.testing.assert_array_equal(hdus["ARCS"].data, arcs)
        assert hdus["SOURCEDET"].shape == (30, 32)
        units = [u.Unit(hdu.header["BUNIT"]) for hdu in hdus]
        assert units == [u.adu / u.arcsec**2] * 2 + [u.adu] * 3
        scale = pixel_scale_of(WCS(hdus[0].header)).to_value("arcsec")
        assert scale == pytest.approx(float(simulated.source_pixel_scale[1]), rel=1e-6)


def test_the_source_on_the_detector_grid_has_the_source_s_flux(simulated, written):
    """Both grids show the same source where they overlap."""
    with fits.open(written / "source_00005.fits") as hdus:
        detector, fine = hdus["SOURCEDET"].data, hdus[0].data
    scale = float(simulated.source_pixel_scale[1])
    own = SourceGrid(fine.shape, scale, *simulated.source_centre[1].tolist())
    sky = ImageGrid(detector.shape, 0.04)

    def within(frame, positions):
        left, right, bottom, top = frame.extent
        x, y = positions
        return (left < x) & (x < right) & (bottom < y) & (y < top)

    on_detector = detector[within(own, sky.coordinates())].sum() * 0.04**2
    on_own = fine[within(sky, own.coordinates())].sum() * scale**2
    assert on_detector == pytest.approx(on_own, rel=0.05)
    assert on_own > 0.5 * fine.sum() * scale**2


def test_source_and_observation_share_the_sky(simulated, written):
    with fits.open(written / "source_00004.fits") as hdus:
        source, detector = WCS(hdus[0].header), WCS(hdus["NOISEFREE"].header)
    x, y = simulated.source_centre[0].tolist()
    centre = source.pixel_to_world(63.5, 63.5)
    same = detector.pixel_to_world(15.5 + x / 0.04, 14.5 + y / 0.04)
    assert centre.separation(same).to_value("arcsec") < 1e-5


def test_kernels_have_the_size_of_their_own_lens(rich):
    assert to_observation(rich, 1).psf.shape == tuple(s - 4 for s in rich.psf.shape[1:])
    assert to_observation(rich, 1).psf.sum() == pytest.approx(1, rel=1e-6)


def test_all_that_was_rendered_is_in_the_file_of_the_truth(rich, tmp_path):
    write_pairs(rich, tmp_path)
    with fits.open(tmp_path / "source_00005.fits") as hdus:
        np.testing.assert_array_equal(hdus["OTHERLGT"].data, rich.other_light[1])
        np.testing.assert_array_equal(hdus["COSMICS"].data, rich.cosmic_rays[1])
        assert hdus["COSMICS"].data.dtype == np.uint8
        assert u.Unit(hdus["OTHERLGT"].header["BUNIT"]) == u.adu
        kernel = hdus["NOISEKER"].data
        assert kernel.shape == (3, 3)
        assert (kernel**2).sum() == pytest.approx(1, rel=1e-6)
        true_psf = hdus["TRUEPSF"].data
        assert true_psf.sum() == pytest.approx(1, rel=1e-5)
        assert hdus["TRUEPSF"].header["PSFSUPER"] == 2
        assert "CTYPE1" not in hdus["TRUEPSF"].header
        parts = [hdus[name].data for name in ("ARCS", "LENSLIGHT", "OTHERLGT")]
        np.testing.assert_allclose(sum(parts), hdus["NOISEFREE"].data, rtol=1e-5, atol=1e-4)


def test_what_a_lens_does_not_have_is_not_in_its_file(rich, tmp_path):
    write_pairs(rich, tmp_path)
    with fits.open(tmp_path / "source_00004.fits") as hdus:
        names = [hdu.name for hdu in hdus]
    assert names == ["PRIMARY", "SOURCEDET", "NOISEFREE", "LENSLIGHT", "ARCS"]


def test_names_of_effects_survive_the_file(rich, tmp_path):
    """Also where they and the lens model need more than one card."""
    paths = write_pairs(rich, tmp_path)
    headers = [LensObservation.read(path).meta for path in paths]
    assert [h["EFFECTS"] for h in headers] == ["", "psf-mismatch,cosmic-rays", ""]
    assert all(h["LENSMOD"] == rich.lens_model for h in headers)
    assert len(rich.lens_model) > 70
    assert all(h["SIMNAME"] == "foundation" for h in headers)


def test_a_source_on_the_detector_grid_does_not_depend_on_its_batch(simulated, draw):
    whole = detector_sources(simulated)
    for i, index in enumerate(simulated.index.tolist()):
        np.testing.assert_array_equal(detector_sources(draw(1, start=index))[0], whole[i])


def test_threads_are_left_as_they_were(simulated):
    before = torch.get_num_threads()
    detector_sources(simulated)
    assert torch.get_num_threads() == before
