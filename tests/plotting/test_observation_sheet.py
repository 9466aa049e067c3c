from __future__ import annotations

import numpy as np
import pytest
from astropy.nddata import StdDevUncertainty

from astrorim.observation import LensObservation
from astrorim.plotting.observation_sheet import plot_observations


def test_every_observation_has_a_panel(rng):
    observations = [
        LensObservation(
            rng.normal(0, 1, (20 + n, 24)),
            unit="adu",
            pixel_scale="0.1 arcsec",
            name=f"lens {n}",
            uncertainty=StdDevUncertainty(np.ones((20 + n, 24))) if n else None,
        )
        for n in range(3)
    ]
    figure = plot_observations(observations, columns=2)
    shown = [axes for axes in figure.axes if axes.get_visible()]
    assert [axes.get_title().split("\n")[0] for axes in shown] == ["lens 0", "lens 1", "lens 2"]
    assert "noise 1 adu" in shown[1].get_title()
    figure.draw_without_rendering()


def test_nothing_to_draw_is_refused():
    with pytest.raises(ValueError, match="must hold an observation, got none"):
        plot_observations([])
