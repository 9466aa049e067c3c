"""Measured widths of intervals."""

from __future__ import annotations

import pytest

from astrorim.inference import measure_error_factors
from astrorim.plugins import load_plugins
from astrorim.rim import RIMReconstructor


def test_every_parameter_gets_a_positive_factor():
    reconstructor = RIMReconstructor.load(device="cpu")
    simulator = load_plugins().simulators.create("foundation")
    seen = []
    factors = measure_error_factors(
        reconstructor, simulator, 2, seed=5, num_iterations=1, progress=seen.append
    )
    assert list(factors) == list(reconstructor.system.parameters.names)
    assert all(factor > 0 for factor in factors.values())
    assert seen == [1, 2]


def test_seeds_of_evaluation_are_refused():
    with pytest.raises(ValueError, match=r"seed must be below 10\^9 .* got 1000000000"):
        measure_error_factors(None, None, 1, seed=10**9)  # type: ignore[arg-type]


def test_another_model_than_the_drawn_one_is_refused():
    reconstructor = RIMReconstructor.load(device="cpu", lens_model="sie")
    simulator = load_plugins().simulators.create("foundation")
    with pytest.raises(ValueError, match="the simulator draws .*'sie.shear'.* fits .*'sie'"):
        measure_error_factors(reconstructor, simulator, 1, seed=5)


def test_lenses_of_several_simulators_count_alike():
    reconstructor = RIMReconstructor.load(device="cpu")
    registry = load_plugins().simulators
    simulators = [registry.create(name) for name in ("foundation", "enhanced")]
    options = {"seed": 5, "num_iterations": 1, "level": 1.0}
    together = measure_error_factors(reconstructor, simulators, 2, **options)
    alone = [measure_error_factors(reconstructor, s, 2, **options) for s in simulators]
    for name, factor in together.items():
        assert factor == pytest.approx(max(own[name] for own in alone), rel=1e-6)
