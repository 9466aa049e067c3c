"""Every attribute survives whatever is done to an observation."""

from __future__ import annotations

import copy
import pickle

import astropy.units as u
import ccdproc
import numpy as np
import pytest
from astropy.coordinates import SkyCoord
from astropy.io import fits
from astropy.nddata import (
    CCDData,
    InverseVariance,
    StdDevUncertainty,
    UnknownUncertainty,
    VarianceUncertainty,
)

from astrorim.exceptions import ObservationError
from astrorim.observation import LensObservation

PLAIN = ("band", "name", "z_lens", "z_source", "exposure", "gain", "psf_supersampling")


def assert_same_attributes(result, observation, *, noise=True):
    assert type(result) is LensObservation
    for name in PLAIN:
        assert getattr(result, name) == getattr(observation, name), name
    np.testing.assert_allclose(result.psf, observation.psf, rtol=1e-15, atol=0)
    np.testing.assert_allclose(
        result.pixel_scale.to_value("arcsec/pix"),
        observation.pixel_scale.to_value("arcsec/pix"),
        rtol=1e-9,
    )
    assert (result.wcs is None) == (observation.wcs is None)
    assert result.mask.dtype == bool
    assert result.has_noise or not noise


DOINGS = {
    "slice": lambda o: o[4:20, 6:30],
    "copy": lambda o: o.copy(),
    "copy.copy": copy.copy,
    "deepcopy": copy.deepcopy,
    "pickle": lambda o: pickle.loads(pickle.dumps(o)),
    "class": LensObservation,
    "add": lambda o: o.add(o),
    "subtract number": lambda o: o.subtract(0.5 * u.electron / u.s),
    "multiply": lambda o: o.multiply(2.0),
    "divide": lambda o: o.divide(3 * u.s),
    "unit": lambda o: o.convert_unit_to("electron/min"),
    "cutout": lambda o: o.cutout(21),
    "trim_image": lambda o: ccdproc.trim_image(o[:30, :30]),
    "gain_correct": lambda o: ccdproc.gain_correct(o, 2 * u.dimensionless_unscaled),
    "flat_correct": lambda o: ccdproc.flat_correct(
        o, CCDData(np.full(o.shape, 2.0), unit="electron/s")
    ),
    "subtract_bias": lambda o: ccdproc.subtract_bias(
        o, CCDData(np.full(o.shape, 0.1), unit="electron/s")
    ),
    "cosmicray_lacosmic": lambda o: ccdproc.cosmicray_lacosmic(
        o.multiply(1 * u.s), gain=1 * u.dimensionless_unscaled, readnoise=1 * u.electron
    ),
}


@pytest.mark.parametrize("doing", DOINGS.values(), ids=DOINGS)
@pytest.mark.parametrize("sky", [True, False], ids=["wcs", "no wcs"])
def test_attributes_survive(doing, sky, make_observation):
    observation = make_observation(sky=sky)
    assert_same_attributes(doing(observation), observation)


def test_doing_something_leaves_the_original_alone(make_observation):
    observation = make_observation()
    observation.add(observation)
    observation.convert_unit_to("electron/min")
    assert_same_attributes(observation, make_observation())
    np.testing.assert_array_equal(observation.data, make_observation().data)


def test_deepcopy_shares_nothing(make_observation):
    observation = make_observation()
    other = copy.deepcopy(observation)
    other.data[0, 0] = 99
    other.psf[0, 0] = 99
    other.uncertainty.array[0, 0] = 99
    assert observation.data[0, 0] != 99
    assert observation.psf[0, 0] != 99
    assert observation.uncertainty.array[0, 0] != 99


@pytest.mark.parametrize("sky", [True, False], ids=["wcs", "no wcs"])
@pytest.mark.parametrize("ending", ["fits", "fits.gz", "asdf"])
def test_files_bring_back_every_attribute(sky, ending, tmp_path, make_observation):
    observation = make_observation(sky=sky, psf_supersampling=3)
    path = tmp_path / f"other_name.{ending}"
    observation.write(path)
    result = LensObservation.read(path)
    assert_same_attributes(result, observation)
    assert result.unit == observation.unit
    np.testing.assert_array_equal(result.data, observation.data)
    np.testing.assert_array_equal(result.mask, observation.mask)
    np.testing.assert_array_equal(result.noise, observation.noise)
    assert result.data.dtype.isnative
    assert result.meta["OBJECT"] == "a lens"
    if sky:
        np.testing.assert_allclose(
            result.wcs.pixel_to_world_values(3, 4),
            observation.wcs.pixel_to_world_values(3, 4),
            rtol=1e-14,
        )


@pytest.mark.parametrize("cls", [StdDevUncertainty, VarianceUncertainty, InverseVariance])
def test_files_keep_the_kind_of_the_uncertainty(cls, tmp_path, arrays, make_observation):
    observation = make_observation(uncertainty=cls(arrays[1]))
    observation.write(tmp_path / "lens.fits")
    result = LensObservation.read(tmp_path / "lens.fits")
    assert type(result.uncertainty) is cls
    np.testing.assert_array_equal(result.uncertainty.array, arrays[1])


def test_what_is_not_known_stays_unknown_through_a_file(tmp_path, arrays):
    meta = fits.Header({"EXPTIME": 0.0, "FILTER": "", "GAIN": 0})
    LensObservation(
        arrays[0], unit=u.dimensionless_unscaled, pixel_scale="0.1 arcsec", meta=meta
    ).write(tmp_path / "lens.fits")
    result = LensObservation.read(tmp_path / "lens.fits")
    assert [getattr(result, name) for name in PLAIN] == [None, "lens", *[None] * 4, 1]
    assert result.unit == u.dimensionless_unscaled
    assert result.psf is None
    assert not result.has_noise


def test_a_slice_written_and_read_has_the_slices_sky(tmp_path, make_observation):
    observation = make_observation()
    observation.write(tmp_path / "whole.fits")
    part = LensObservation.read(tmp_path / "whole.fits")[5:25, 7:37]
    part.write(tmp_path / "part.fits")
    result = LensObservation.read(tmp_path / "part.fits")
    np.testing.assert_allclose(
        result.wcs.pixel_to_world_values(0, 0),
        observation.wcs.pixel_to_world_values(7, 5),
        rtol=1e-14,
    )


def test_writing_refuses_to_overwrite_unasked(tmp_path, make_observation):
    path = tmp_path / "lens.fits"
    make_observation().write(path)
    with pytest.raises(FileExistsError, match="overwrite=True"):
        make_observation().write(path)
    make_observation(band="F555W").write(path, overwrite=True)
    assert LensObservation.read(path).band == "F555W"
    assert [p.name for p in tmp_path.iterdir()] == ["lens.fits"]


@pytest.mark.parametrize(
    ("cls", "power"), [(StdDevUncertainty, 1), (VarianceUncertainty, 2), (InverseVariance, -2)]
)
def test_units_scale_each_kind_of_noise_rightly(cls, power, make_observation, arrays):
    observation = make_observation(uncertainty=cls(arrays[1]))
    result = observation.convert_unit_to("electron/min")
    np.testing.assert_allclose(result.data, observation.data * 60, rtol=1e-14)
    np.testing.assert_allclose(result.uncertainty.array, arrays[1] * 60.0**power, rtol=1e-14)
    np.testing.assert_allclose(result.noise, observation.noise * 60, rtol=1e-14)


@pytest.mark.parametrize(
    ("cls", "power"), [(StdDevUncertainty, 1), (VarianceUncertainty, 2), (InverseVariance, -2)]
)
def test_noise_is_the_standard_deviation(cls, power, make_observation, arrays):
    observation = make_observation(uncertainty=cls(arrays[1] ** power))
    np.testing.assert_allclose(observation.noise, arrays[1], rtol=1e-14)


def test_noise_of_another_unit_is_converted(make_observation, arrays):
    noise = StdDevUncertainty(arrays[1] * 60, unit="electron/min")
    np.testing.assert_allclose(make_observation(uncertainty=noise).noise, arrays[1], rtol=1e-14)


def test_noise_that_does_not_exist_says_how_to_get_it(make_observation):
    with pytest.raises(ObservationError, match="no noise map; pass uncertainty="):
        _ = make_observation(uncertainty=None).noise


def test_noise_of_unknown_kind_is_refused(make_observation, arrays):
    observation = make_observation(uncertainty=UnknownUncertainty(arrays[1]))
    with pytest.raises(ObservationError, match="got UnknownUncertainty"):
        _ = observation.noise


def test_good_leaves_out_what_cannot_be_used(make_observation):
    observation = make_observation()
    observation.data[0, 0] = np.nan
    observation.uncertainty.array[1, 1] = np.inf
    observation.uncertainty.array[2, 2] = 0
    bad = {(0, 0), (1, 1), (2, 2), (3, 5)}
    assert set(zip(*(i.tolist() for i in np.nonzero(~observation.good)), strict=True)) == bad


@pytest.mark.parametrize("item", [3, (2, slice(None)), np.s_[::2, ::2], np.s_[::-1, :]])
def test_slices_that_give_no_image_are_refused(item, make_observation):
    with pytest.raises(ObservationError, match="must be sliced"):
        make_observation()[item]


def test_grid_has_shape_and_scale(make_observation):
    grid = make_observation().grid
    assert grid.shape == (40, 44)
    np.testing.assert_allclose(grid.pixel_scale, 0.05, rtol=1e-9)


@pytest.mark.parametrize("mirrored", [False, True])
def test_pixel_scale_comes_from_the_whole_matrix(mirrored, make_wcs, arrays):
    wcs = make_wcs(scale=0.07, rotation=45, mirrored=mirrored)
    observation = LensObservation(arrays[0], unit="adu", wcs=wcs)
    np.testing.assert_allclose(observation.pixel_scale.to_value("arcsec/pix"), 0.07, rtol=1e-9)


def test_missing_pixel_scale_says_what_to_pass(arrays):
    observation = LensObservation(arrays[0], unit="adu")
    with pytest.raises(ObservationError, match='pass pixel_scale=, for example pixel_scale="'):
        _ = observation.grid


def test_pixel_scale_must_not_contradict_the_wcs(make_observation):
    make_observation(pixel_scale="0.0502 arcsec")
    with pytest.raises(ObservationError, match=r"got 0\.06 arcsec / pix, the WCS says 0\.05"):
        make_observation(pixel_scale="0.06 arcsec")


def test_pixels_must_be_square(make_observation, make_wcs):
    wcs = make_wcs(rotation=0)
    wcs.wcs.cd = wcs.wcs.cd @ np.diag([1, 1.2])
    with pytest.raises(
        ObservationError, match=r"pixels must be square, got 0\.05000 x 0\.06000"
    ):
        make_observation(wcs=wcs)


def test_cutout_is_centred_and_keeps_everything(make_observation):
    observation = make_observation()
    part = observation.cutout((12, 14))
    assert part.shape == (12, 14)
    np.testing.assert_array_equal(part.data, observation.data[14:26, 15:29])


def test_cutout_about_a_place_on_the_sky(make_observation):
    observation = make_observation()
    place = observation.wcs.pixel_to_world(20, 12)
    part = observation.cutout(5, place)
    np.testing.assert_array_equal(part.data, observation.data[10:15, 18:23])
    np.testing.assert_allclose(part.wcs.world_to_pixel(place), (2, 2), atol=1e-7)


def test_cutout_must_lie_inside(make_observation):
    with pytest.raises(
        ObservationError, match=r"must lie inside the image of shape \(40, 44\)"
    ):
        make_observation().cutout(11, (2, 20))


def test_cutout_on_the_sky_needs_a_wcs(make_observation):
    with pytest.raises(ObservationError, match="needs a WCS"):
        make_observation(sky=False).cutout(5, SkyCoord(150, 2, unit="deg"))


def test_unit_is_needed():
    with pytest.raises(ObservationError, match="unit must be given, got None"):
        LensObservation(np.eye(9))


@pytest.mark.parametrize("unit", ["mag", "mag(AB)", u.ABmag, "mag/arcsec2"])
def test_logarithmic_units_are_refused(unit):
    with pytest.raises(ObservationError, match="logarithmic unit"):
        LensObservation(np.eye(9), unit=unit)


@pytest.mark.parametrize(
    ("psf", "message"),
    [
        (np.ones((6, 6)), r"odd number of rows and columns, got shape \(6, 6\)"),
        (np.ones((5, 7)), r"must be square, got shape \(5, 7\)"),
        (np.ones(5), "two-dimensional stamp"),
        (np.full((5, 5), np.nan), "must be finite, got 25"),
        (-np.ones((5, 5)), "positive sum, got -25"),
        (np.zeros((5, 5)), "positive sum, got 0"),
    ],
)
def test_bad_psf_is_refused(psf, message, make_observation):
    with pytest.raises(ObservationError, match=message):
        make_observation(psf=psf)


def test_psf_is_normalised_with_a_note(make_observation, make_psf):
    header = fits.Header({"OBJECT": "a lens"})
    observation = make_observation(psf=make_psf() * 0.956, meta=header)
    np.testing.assert_allclose(observation.psf.sum(), 1, rtol=1e-14)
    np.testing.assert_allclose(observation.meta["PSFSUM"], 0.956, rtol=1e-12)
    assert "PSFSUM" not in header


def test_a_refused_psf_leaves_the_old_one(make_observation, make_psf):
    observation = make_observation()
    with pytest.raises(ObservationError, match="odd number"):
        observation.psf = np.ones((4, 4))
    np.testing.assert_array_equal(observation.psf, make_psf())
    observation.psf = 2 * make_psf(5)
    np.testing.assert_allclose(observation.psf, make_psf(5), rtol=1e-14)


def test_psf_must_be_an_array(make_observation):
    with pytest.raises(TypeError, match="psf must be a numpy array, got list"):
        make_observation(psf=[[1.0]])


@pytest.mark.parametrize("value", [0, 1.5, -2])
def test_psf_supersampling_must_be_a_positive_integer(value, make_observation):
    observation = make_observation()
    with pytest.raises(ObservationError, match="positive integer, got"):
        observation.psf_supersampling = value


def test_swapped_redshifts_are_refused(make_observation):
    with pytest.raises(ObservationError, match="were the two swapped"):
        make_observation(z_lens=1.1, z_source=0.2)
    observation = make_observation()
    with pytest.raises(ObservationError, match="z_lens=2"):
        observation.z_lens = 2
    assert observation.z_lens == 0.2


@pytest.mark.parametrize("value", [-0.1, 0, np.nan])
def test_redshifts_must_be_positive(value, make_observation):
    with pytest.raises(ObservationError, match="z_lens must be positive and finite"):
        make_observation(z_lens=value)


@pytest.mark.parametrize("name", ["uncertainty", "mask"])
def test_other_shapes_are_refused(name, make_observation):
    array = np.ones((40, 43))
    value = StdDevUncertainty(array) if name == "uncertainty" else array > 0
    with pytest.raises(ObservationError, match="shape"):
        make_observation(**{name: value})


@pytest.mark.parametrize("shape", [(9,), (3, 9, 9)])
def test_data_must_be_an_image(shape):
    with pytest.raises(ObservationError, match="must be a two-dimensional image, got shape"):
        LensObservation(np.ones(shape), unit="adu")


def test_exposure_and_gain_need_units(make_observation):
    with pytest.raises(TypeError, match="exposure must carry a unit, got 300"):
        make_observation(exposure=300)
    assert make_observation(exposure="5 min").exposure == 300 * u.s


def test_check_refuses_noise_that_is_not_positive(make_observation):
    observation = make_observation()
    observation.check()
    observation.uncertainty.array[3, 5] = -1  # masked
    observation.check()
    observation.uncertainty.array[0, 0] = 0
    with pytest.raises(ObservationError, match="got 1 zero of 1760 pixels; mask them"):
        observation.check()


def test_check_refuses_a_psf_larger_than_the_image(make_observation, make_psf):
    observation = make_observation(psf=make_psf(45))
    with pytest.raises(ObservationError, match="covers 45 pixels along a side"):
        observation.check()
    observation.psf_supersampling = 3
    observation.check()


def test_check_refuses_images_without_information(make_observation):
    observation = make_observation()
    observation.data[:] = 4
    with pytest.raises(ObservationError, match="must not be constant, got 4"):
        observation.check()
    observation.data[:] = np.nan
    with pytest.raises(ObservationError, match="got 0 finite"):
        observation.check()


def test_ccdproc_combine_returns_an_observation(make_observation):
    observation = make_observation(mask=np.zeros((40, 44), dtype=bool))
    result = ccdproc.combine([observation, observation.multiply(3.0)], method="average")
    assert_same_attributes(result, observation, noise=False)
    np.testing.assert_allclose(result.data, 2 * observation.data, rtol=1e-6)
