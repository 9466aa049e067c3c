"""External shear against lenstronomy."""

from __future__ import annotations

from astrorim_plugins.lens_models import Shear


def test_agrees_with_lenstronomy(compare_with_lenstronomy):
    compare_with_lenstronomy(Shear(), "SHEAR", dict)


def test_has_no_centre():
    assert [parameter.name for parameter in Shear.parameters] == ["gamma1", "gamma2"]
