"""Keywords are written, read and left alone as declared."""

from __future__ import annotations

import astropy.units as u
import pytest
from astropy.io import fits

from astrorim.observation.headers import (
    KEYWORDS,
    LAYOUT_KEYWORD,
    attributes_from_header,
    attributes_to_header,
    without_frame_keywords,
)


def test_every_attribute_has_a_legal_keyword_of_its_own(make_observation):
    keywords = [keyword for keyword, _, _ in KEYWORDS.values()]
    assert len(set(keywords)) == len(keywords)
    assert all(len(keyword) <= 8 and keyword.isupper() for keyword in keywords)
    assert {*KEYWORDS, "psf"} == set(make_observation().attributes())


def test_attributes_come_back_from_the_header(make_observation):
    header = fits.Header()
    observation = make_observation(sky=False)
    attributes_to_header(observation, header)
    expected = observation.attributes()
    del expected["psf"]
    assert attributes_from_header(header) == expected


def test_what_became_unknown_is_removed(make_observation):
    header = fits.Header([("FILTER", "old"), ("FILTER", "older"), ("EXPTIME", 5)])
    attributes_to_header(make_observation(band=None, exposure=None), header)
    assert "FILTER" not in header
    assert "EXPTIME" not in header
    assert "PIXSCALE" not in header  # the WCS says it


@pytest.mark.parametrize(
    ("cards", "expected"),
    [
        ({"EXPTIME": 565, "GAIN": 2.0, "FILTER": "r"},
         {"exposure": 565 * u.s, "gain": 2 * u.electron / u.adu, "band": "r"}),
        ({"XPOSURE": 10.0, "CCDGAIN": 1.5}, {"exposure": 10 * u.s,
                                             "gain": 1.5 * u.Unit("electron/adu")}),
        ({"EXPTIME": 0, "GAIN": 0.0, "FILTER": " "}, {}),
        ({"EXPTIME": "long", "GAIN": True}, {}),
        ({"FILTER1": "CLEAR1L", "FILTER2": "F814W"}, {"band": "F814W"}),
        ({"FILTER1": "F555W", "FILTER2": "F814W"}, {}),
        ({"PHOTMODE": "ACS WFC1 F814W MJD#53990.6704"}, {"band": "F814W"}),
        ({"PHOTMODE": "WFC3 UVIS2 F200LP"}, {"band": "F200LP"}),
        ({"Z_LENS": 0.3, "PIXSCALE": 0.1}, {}),
    ],
)  # fmt: skip
def test_foreign_headers(cards, expected):
    assert LAYOUT_KEYWORD not in cards
    assert attributes_from_header(fits.Header(cards)) == expected


def test_the_frame_is_taken_out(make_wcs):
    header = make_wcs().to_header()
    header.update({"CD1_1": 1.0, "CTYPE1A": "LINEAR", "A_ORDER": 2, "A_0_2": 1e-9, "PV1_1": 0.0,
                   "EXTNAME": "SCI", "RADECSYS": "ICRS", "CRPIX2": 3})  # fmt: skip
    header.update({"OBJECT": "lens", "EXPTIME": 3, "A_NOTE": "kept", "CDATE": "kept"})
    assert set(without_frame_keywords(header)) - {"DATE-OBS", "MJDREF", "MJD-OBS"} == {
        "OBJECT", "EXPTIME", "A_NOTE", "CDATE"
    }  # fmt: skip
    assert "CRPIX2" in header
