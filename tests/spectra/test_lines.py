"""Line lists against wavelengths in air, which were tabulated independently."""

from __future__ import annotations

import numpy as np
import pytest

from astrorim.spectra import ABSORPTION_FEATURES, EMISSION_FEATURES, SpectralFeature

# NIST Atomic Spectra Database, observed in air, angstrom
AIR = {
    "[O II]": (3726.032, 3728.815), "[Ne III]": (3868.76, 3967.47), "Hdelta": (4101.734,),
    "Hgamma": (4340.472,), "Hbeta": (4861.35,), "[O III]": (4958.911, 5006.843),
    "Halpha": (6562.79,), "[N II]": (6548.05, 6583.45), "[S II]": (6716.44, 6730.82),
    "Ca K": (3933.66,), "Ca H": (3968.47,), "Ca I": (4226.73,),
    "Mg b": (5167.32, 5172.68, 5183.60), "Na D": (5889.95, 5895.92),
    # middles of the Lick windows
    "Fe 5270": (5265.65,), "Fe 5335": (5332.125,),
}  # fmt: skip


@pytest.mark.parametrize("feature", [*EMISSION_FEATURES, *ABSORPTION_FEATURES], ids=str)
def test_vacuum_wavelengths_follow_from_those_in_air(feature, simulated):
    if feature.name == "G band":
        pytest.skip("a blend without a wavelength of its own")
    expected = simulated.vacuum(np.array(AIR[feature.name]))
    np.testing.assert_allclose(feature.wavelengths, expected, rtol=2e-5)


def test_centre_is_the_mean_of_a_close_pair_and_the_stronger_of_a_wide_one():
    features = {feature.name: feature for feature in EMISSION_FEATURES}
    assert 3727.1 < features["[O II]"].centre < 3729.8
    assert features["[O III]"].centre == 5008.240


@pytest.mark.parametrize(
    "arguments, message",
    [
        (((), ()), "0 wavelengths and 0 ratios for 'x'"),
        (((5000.0,), (1.0, 2.0)), "1 wavelengths and 2 ratios"),
        (((5000.0,), (0.0,)), r"must be positive, got \(5000.0,\) and \(0.0,\)"),
    ],
)
def test_features_that_cannot_be_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        SpectralFeature("x", *arguments)
