"""From tensors in units of the noise to a reconstruction in the image's own unit."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from astrorim.interchange.simulated_pairs import to_observation
from astrorim.lensing.interpolation import SourceFrames
from astrorim.lensing.system import LensSystem
from astrorim.plugins import load_plugins
from astrorim.rim.outcome import as_numpy, build_reconstruction
from astrorim.rim.tensors import batch_observations


def test_tensors_become_double_arrays():
    array = as_numpy(torch.tensor([1.0, 2.0]), 3.0)
    assert array.dtype == np.float64
    assert array.tolist() == [3.0, 6.0]


def test_the_true_lens_and_light_leave_the_arcs():
    """Fluxes come back in the image's unit: the true light is taken away to the noise."""
    plugins = load_plugins()
    simulated = plugins.simulators.create("foundation").simulate(1, seed=10**9, start=2)
    observation = to_observation(simulated, 0)
    system = LensSystem(
        plugins.lens_models.resolve("sie+shear"), plugins.light_models.create("sersic")
    )
    flux = batch_observations([observation], size=96).unit_flux[0]
    values = system.stack(simulated.lens, simulated.light).float()
    amplitude = system.parameters.index_of("light_amplitude")
    values[:, amplitude] /= flux
    result = build_reconstruction(
        system,
        observation,
        name="one",
        models=("sie+shear", "sersic"),
        values=values,
        frames=SourceFrames(torch.zeros(1, 2), torch.tensor([0.05]), 8),
        source=torch.full((1, 8, 8), 1e-6),
        samples=values.repeat(5, 1),
        unit_flux=flux,
        steps={},
        provenance={"stage": "test"},
    )
    assert result.light["amplitude"] == pytest.approx(float(simulated.light["amplitude"][0]))
    assert result.lens["theta_E"] == pytest.approx(float(simulated.lens["theta_E"][0]))
    assert result.source == pytest.approx(np.full((8, 8), 1e-6 * flux))
    assert len(result.samples["light_amplitude"]) == 5
    error = result.lens_light - simulated.lens_light[0].numpy()
    assert np.abs(error / observation.uncertainty.array).max() < 0.5
    assert len(result.provenance["data_sha256"]) == 64
