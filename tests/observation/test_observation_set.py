from __future__ import annotations

import numpy as np
import pytest
from astropy.io import fits

from astrorim.exceptions import ObservationError
from astrorim.observation import LensObservation, ObservationSet, bands_of


def test_euclid_bands_have_their_own_psf_noise_and_frame(shared_data):
    path = shared_data / "other" / "euclid_q1" / "euclid_102018665.fits"
    bands = ObservationSet.read(path, unit="adu")
    assert list(bands) == [
        "DES_G", "DES_R", "VIS", "DES_I", "DES_Z", "NIR_Y", "NIR_J", "NIR_H",
    ]  # fmt: skip
    assert bands["VIS"].psf.shape == (21, 21)
    assert bands["NIR_H"].psf.shape == (33, 33)
    assert np.median(bands["VIS"].noise) != np.median(bands["NIR_H"].noise)
    assert bands.centre("VIS").separation(bands.centre("NIR_H")).arcsec < 0.2
    assert list(ObservationSet.read(path, unit="adu", bands=["NIR_H", "VIS"])) == [
        "NIR_H",
        "VIS",
    ]
    with pytest.raises(ObservationError, match="there is no band 'U'; available: DES_G"):
        ObservationSet.read(path, unit="adu", bands=["U"])


def test_set_of_files(shared_data):
    folder = shared_data / "other" / "cfht_sw05"
    bands = ObservationSet.read({b: folder / f"{b}.fits" for b in "gi"}, unit="adu")
    assert repr(bands).startswith("ObservationSet(g: 128 x 128 at 0.185733")
    with pytest.raises(ObservationError, match="band 'g': the unit of the image is missing"):
        ObservationSet.read({b: folder / f"{b}.fits" for b in "gi"})


def test_exposures_of_one_file(write_image):
    image = np.eye(9)
    path = write_image(
        (None, None, None), (image, None, "SCI"), (image, fits.Header({"EXTVER": 2}), "SCI")
    )
    assert bands_of(path) == {"SCI": 1, "SCI_2": 2}


def test_different_lenses_are_refused(make_observation, make_wcs):
    one = make_observation()
    with pytest.raises(ObservationError, match=r"z_lens must be the same .* got 0.2, 0.3"):
        ObservationSet({"a": one, "b": make_observation(z_lens=0.3)})
    wcs = make_wcs()
    wcs.wcs.crval = 150.1, 2.0
    wcs.wcs.set()
    with pytest.raises(ObservationError, match=r"'a' and 'b' must overlap, but their centres"):
        ObservationSet({"a": one, "b": make_observation(wcs=wcs)})
    with pytest.raises(ObservationError, match="must hold an observation, got none"):
        ObservationSet({})


def test_unknown_band_is_answered_with_those_that_exist(make_observation):
    bands = ObservationSet({"a": make_observation()})
    assert isinstance(bands["a"], LensObservation)
    assert len(bands) == 1
    with pytest.raises(KeyError, match="there is no band 'c'; available: a"):
        bands["c"]
