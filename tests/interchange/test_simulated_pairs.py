from __future__ import annotations

import shutil

import astropy.units as u
import numpy as np
import pytest
from astropy.io import fits
from astropy.table import QTable
from astropy.wcs import WCS

from astrorim.exceptions import SimulationError
from astrorim.grid import pixel_scale_of
from astrorim.interchange.simulated_pairs import (
    catalogue_name,
    finished_pairs,
    to_observation,
    write_pairs,
)
from astrorim.interchange.simulated_truth import pair_names
from astrorim.observation import LensObservation
from astrorim.plugins import load_plugins

SEED = 9
CATALOGUE = catalogue_name()


def simulate(number, **options):
    foundation = load_plugins().simulators.create("foundation")
    return foundation.simulate(
        number, **{"seed": SEED, "supersampling": 2, "shape": (30, 32), **options}
    )


@pytest.fixture(scope="module")
def simulated():
    return simulate(3, start=4)


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
        assert pixel_scale_of(WCS(hdus[0].header)).to_value("arcsec") == pytest.approx(0.03)


def test_the_source_on_the_detector_grid_has_the_source_s_flux(simulated, written):
    """Both grids show the same source where they overlap."""
    with fits.open(written / "source_00004.fits") as hdus:
        detector, fine = hdus["SOURCEDET"].data, hdus[0].data
    # The detector's frame is 1.28 x 1.2 arcsec of the truth's 3.84 arcsec.
    cut = fine[64 - 20 : 64 + 20, 64 - 21 : 64 + 21]
    inner = detector[:, :]
    assert inner.sum() * 0.04**2 == pytest.approx(cut.sum() * 0.03**2, rel=0.05)


def test_source_and_observation_share_the_sky(written):
    with fits.open(written / "source_00004.fits") as hdus:
        source, detector = WCS(hdus[0].header), WCS(hdus["NOISEFREE"].header)
    centre = source.pixel_to_world(63.5, 63.5)
    assert centre.separation(detector.pixel_to_world(15.5, 14.5)).to_value("arcsec") < 1e-6


def test_the_catalogue_has_every_parameter_with_its_unit(simulated, written):
    table = QTable.read(written / CATALOGUE)
    assert list(table["index"]) == [4, 5, 6]
    assert table.meta["seed"] == SEED
    for name, values in simulated.lens.items():
        np.testing.assert_allclose(table[name].value, values, rtol=1e-6)
    for name, values in simulated.light.items():
        np.testing.assert_allclose(table[f"light_{name}"].value, values, rtol=1e-6)
    for name, values in simulated.metadata.items():
        np.testing.assert_allclose(np.asarray(table[name]), values, rtol=1e-6)
    for name, unit in (
        ("theta_E", u.arcsec), ("light_amplitude", u.adu / u.arcsec**2), ("exposure", u.s),
        ("source_1_half_light_radius", u.arcsec), ("clump_0_amplitude", u.adu / u.arcsec**2),
        ("source_magnitude", u.mag), ("sky", u.adu / u.s),
    ):  # fmt: skip
        assert table[name].unit == unit


def test_finished_pairs_are_not_written_again(simulated, written, tmp_path):
    directory = tmp_path / "resumed"
    shutil.copytree(written, directory)
    (directory / "lensed_00005.fits").unlink()
    assert finished_pairs(directory, seed=SEED) == {4, 6}
    before = (directory / "lensed_00004.fits").stat().st_mtime_ns
    paths = write_pairs(simulated, directory)
    assert all(path.exists() for path in paths)
    assert (directory / "lensed_00004.fits").stat().st_mtime_ns == before
    assert finished_pairs(directory, seed=SEED) == {4, 5, 6}
    assert list(QTable.read(directory / CATALOGUE)["index"]) == [4, 5, 6]


def test_later_batches_extend_the_catalogue(written, tmp_path):
    directory = tmp_path / "extended"
    shutil.copytree(written, directory)
    earlier = simulate(2, start=2)
    write_pairs(earlier, directory)
    assert list(QTable.read(directory / CATALOGUE)["index"]) == [2, 3, 4, 5, 6]


def test_a_directory_holds_one_dataset(written):
    other = simulate(1, seed=SEED + 1)
    with pytest.raises(SimulationError, match="holds a dataset with seed 9, asked for 10"):
        write_pairs(other, written)
    other = simulate(1, supersampling=1)
    with pytest.raises(SimulationError, match="with supersampling 2, asked for 1"):
        write_pairs(other, written)


def test_no_pair_is_written_half(simulated, tmp_path, monkeypatch):
    def fail(*args, **kwargs):
        raise OSError("no space left on device")

    monkeypatch.setattr(LensObservation, "write", fail)
    with pytest.raises(SimulationError, match="lensed_00004.fits cannot be written"):
        write_pairs(simulated, tmp_path)
    assert not (tmp_path / "lensed_00004.fits").exists()
    assert not list(tmp_path.glob(".writing-*"))
    assert finished_pairs(tmp_path, seed=SEED) == set()


def test_too_little_space_is_noticed_before_writing(simulated, tmp_path, monkeypatch):
    usage = shutil.disk_usage(tmp_path)._replace(free=1000)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage)
    with pytest.raises(SimulationError, match=r"3 pairs need 0\.\d MB, got 0.0 MB free"):
        write_pairs(simulated, tmp_path)
    assert not list(tmp_path.iterdir())


def test_a_directory_that_cannot_be_made_is_refused(simulated, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(SimulationError, match="directory must be one that can be written"):
        write_pairs(simulated, tmp_path / "file")
