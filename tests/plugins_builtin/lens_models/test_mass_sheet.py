"""The mass sheet against lenstronomy."""

from __future__ import annotations

from astrorim_plugins.lens_models import MassSheet


def test_agrees_with_lenstronomy(compare_with_lenstronomy):
    compare_with_lenstronomy(
        MassSheet(), "CONVERGENCE", lambda params: {"kappa": params["kappa_sheet"]}
    )
