"""Mass profiles through a real file: every field compared after closing."""

from __future__ import annotations

from dataclasses import fields

import astropy.units as u
import numpy as np
import pytest
from astropy.cosmology import FlatLambdaCDM, Planck18, w0waCDM

from astrorim.results import MassProfile

COSMOLOGIES = [Planck18, FlatLambdaCDM(70, 0.3), w0waCDM(72, 0.3, 0.7, w0=-0.9, wa=0.1)]


@pytest.mark.parametrize("cosmology", COSMOLOGIES, ids=lambda c: type(c).__name__)
def test_every_field(tmp_path, cosmology):
    profile = MassProfile(
        name="J1",
        lens_model="sie",
        lens={"theta_E": 1.0, "x0": 0.1},
        z_lens=0.3,
        z_source=1.5,
        cosmology=cosmology,
        einstein_radius=0.98 * u.arcsec,
        critical_curve_radius=1.0 * u.arcsec,
        samples={"theta_E": np.linspace(0.9, 1.1, 5)},
        einstein_radius_samples=np.array([0.9, np.nan, 1.0, 1.0, 1.1]) * u.arcsec,
    )
    back = MassProfile.read(profile.write(tmp_path / "m.asdf"))
    for item in fields(MassProfile):
        mine, theirs = getattr(profile, item.name), getattr(back, item.name)
        if item.name == "samples":
            np.testing.assert_array_equal(mine["theta_E"], theirs["theta_E"])
        elif isinstance(mine, u.Quantity):
            assert mine.unit == theirs.unit
            np.testing.assert_array_equal(mine.value, theirs.value)
        else:
            assert mine == theirs, item.name
    assert back.einstein_mass == profile.einstein_mass
