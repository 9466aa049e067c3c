"""Opening files, picking HDUs and understanding their sky."""

from __future__ import annotations

import numpy as np
import pytest
from astropy.io import fits

from astrorim.exceptions import ObservationError
from astrorim.observation.fits_files import (
    choose_image,
    describe_hdu,
    merged_header,
    open_fits,
    pixels_of,
    wcs_of,
)


def test_the_file_is_closed_afterwards(write_image):
    with open_fits(write_image(np.eye(5))) as hdul:
        pass
    assert hdul._file.closed


def test_errors_inside_are_passed_on(write_image):
    with pytest.raises(KeyError, match="NOTHING"), open_fits(write_image(np.eye(5))) as hdul:
        _ = hdul[0].header["nothing"]


def test_pixels_are_native_copies():
    pixels = pixels_of(fits.PrimaryHDU(np.arange(6, dtype=">i2").reshape(2, 3)), what="image")
    assert pixels.dtype == np.float32
    assert pixels.dtype.isnative


def test_scaled_integers_are_unscaled(write_image):
    path = write_image(np.array([[0, 65535], [1, 2]], dtype="u2"))
    with open_fits(path) as hdul:
        np.testing.assert_array_equal(pixels_of(hdul[0], what="image"), [[0, 65535], [1, 2]])


def test_empty_hdu_holds_no_image():
    with pytest.raises(ObservationError, match=r"HDU 'PRIMARY' \(\) holds no psf"):
        pixels_of(fits.PrimaryHDU(), what="psf")


@pytest.mark.parametrize(("ver", "text"), [(1, "'SCI' (2, 3)"), (2, "'SCI,2' (2, 3)")])
def test_hdus_in_words(ver, text):
    assert describe_hdu(fits.ImageHDU(np.ones((2, 3)), name="SCI", ver=ver)) == text


@pytest.mark.parametrize(
    ("names", "role", "chosen"),
    [
        (("SCI", "ERR", "AREA"), "image", "SCI"),
        (("DATA", "NOISE"), "image", "DATA"),
        (("DATA", "NOISE"), "noise", "NOISE"),
        (("DATA", "MASK"), "mask", "MASK"),
        (("ANYTHING",), "psf", "ANYTHING"),
        (("RMS",), "image", "RMS"),
    ],
)
def test_the_image_of_a_role(names, role, chosen):
    hdul = fits.HDUList([fits.PrimaryHDU()] + [fits.ImageHDU(np.eye(3), name=n) for n in names])
    assert choose_image(hdul, role=role).name == chosen


def test_a_primary_image_wins_over_its_companions():
    hdul = fits.HDUList([fits.PrimaryHDU(np.eye(3)), fits.ImageHDU(np.eye(3), name="MASK")])
    assert choose_image(hdul) is hdul[0]


def test_header_is_completed_from_the_primary():
    hdul = fits.HDUList(
        [
            fits.PrimaryHDU(header=fits.Header({"EXPTIME": 5.0, "GAIN": 1.0})),
            fits.ImageHDU(np.eye(3), header=fits.Header({"GAIN": 2.0})),
        ]
    )
    header = merged_header(hdul, hdul[1])
    assert (header["EXPTIME"], header["GAIN"]) == (5.0, 2.0)
    hdul[1].header["INHERIT"] = False
    assert "EXPTIME" not in merged_header(hdul, hdul[1])


def test_deprecated_spellings_of_the_sky_are_understood(make_wcs):
    header = make_wcs(rotation=0, shape=(5, 5)).to_header()
    header["RADECSYS"] = header.pop("RADESYS")
    hdul = fits.HDUList([fits.PrimaryHDU(np.eye(5), header)])
    assert wcs_of(hdul, hdul[0], optional=False).has_celestial


def test_the_sky_of_a_radio_cube_is_its_celestial_part(make_wcs):
    header = make_wcs(rotation=0, shape=(5, 5)).to_header()
    header.update({"WCSAXES": 4, "CTYPE3": "FREQ", "CRVAL3": 1e9, "CTYPE4": "STOKES"})
    hdul = fits.HDUList([fits.PrimaryHDU(np.eye(5)[None, None], header)])
    assert wcs_of(hdul, hdul[0], optional=False).naxis == 2


def test_no_sky_is_none():
    hdul = fits.HDUList([fits.PrimaryHDU(np.eye(5))])
    assert wcs_of(hdul, hdul[0], optional=False) is None
