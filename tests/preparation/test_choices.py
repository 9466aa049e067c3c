from __future__ import annotations

import pytest
from astropy.coordinates import SkyCoord

from astrorim.exceptions import ObservationError
from astrorim.preparation import Preparation, prepare


def test_unknown_choices_are_refused(make_lens):
    with pytest.raises(ObservationError, match="noise_source must be one of auto, file"):
        Preparation(noise_source="guess")
    with pytest.raises(ObservationError, match="sky must be one of auto, subtract"):
        Preparation(sky="maybe")
    with pytest.raises(ObservationError, match="got 'middle'"):
        Preparation(centre="middle")
    bare = make_lens(wcs=None, pixel_scale="0.05 arcsec")
    with pytest.raises(ObservationError, match="needs a WCS"):
        prepare(bare, Preparation(centre=SkyCoord(150, 2, unit="deg")))
