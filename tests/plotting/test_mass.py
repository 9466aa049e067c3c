"""The six-panel mass figure is drawn with and without WCS and samples."""

from __future__ import annotations

import astropy.units as u
import numpy as np
import pytest

from astrorim.plotting import figure_to_pdf, figure_to_png
from astrorim.plotting.mass import plot_mass
from astrorim.results import MassProfile
from astrorim.results.mass_tables import angular_table, derived_table, radial_table


@pytest.mark.parametrize("with_wcs", [True, False])
def test_six_panels_are_drawn(make_reconstruction, with_wcs):
    result = make_reconstruction(with_wcs=with_wcs, name="A_1 & B%")
    samples = {k: v[:40] for k, v in result.samples.items()} if with_wcs else {}
    result.samples = samples
    profile = MassProfile.from_reconstruction(result, mass_sheet=1.0 if with_wcs else 0.9)
    figure = plot_mass(
        result,
        profile,
        radial=radial_table(profile, np.geomspace(0.1, 3, 8) * u.arcsec),
        angular=angular_table(profile, 24),
        derived=derived_table(profile),
        curves=profile.critical_curves(),
    )
    labels = {axes.get_xlabel() for axes in figure.axes}
    assert "R [arcsec]" in labels
    assert ("position angle, east of north [deg]" in labels) is with_wcs
    titles = {axes.get_title() for axes in figure.axes}
    assert {"Observation", "Forward image", r"$\chi^2$ map"} <= titles
    assert figure_to_png(figure, dpi=50).startswith(b"\x89PNG")
    assert figure_to_pdf(figure).startswith(b"%PDF")
