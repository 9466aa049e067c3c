"""Calibration of any inference on simulated lenses."""

from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from astrorim.exceptions import AstroRIMError, CheckpointError
from astrorim.inference.calibration import PosteriorDraws, calibrate_simulator

DRAWS = 50


class Population:
    """Lenses of theta_E ~ N(0, 1) and data theta_E + N(0, 1): the posterior is known."""

    name, lens_model, light_model = "toy", "sis", "sersic"

    def simulate(self, number, *, seed, start):
        rng = np.random.default_rng([seed, start])
        truth = rng.normal(size=2)
        return SimpleNamespace(
            lens={"theta_E": torch.tensor(truth[:1])},
            light={"amplitude": torch.tensor(truth[1:])},
            image=torch.tensor(truth + rng.normal(size=2)),
            index=torch.tensor([start]),
        )


def exact(simulated):
    """Samples of N(data / 2, 1 / 2)."""
    rng = np.random.default_rng(int(simulated.index[0]))
    draws = simulated.image.numpy() / 2 + np.sqrt(0.5) * rng.normal(size=(DRAWS, 2))
    return PosteriorDraws(
        {"theta_E": draws[:, 0], "light_amplitude": draws[:, 1], "other": draws[:, 0]}
    )


def narrow(simulated):
    draws = exact(simulated).samples
    return PosteriorDraws({k: v.mean() + 0.4 * (v - v.mean()) for k, v in draws.items()})


class Counting:
    """An inference that says which lenses it was given, and refuses some."""

    def __init__(self, bad=()):
        self.bad, self.seen = bad, []

    def __call__(self, simulated):
        self.seen.append(int(simulated.index[0]))
        if self.seen[-1] in self.bad:
            raise RuntimeError("singular matrix")
        return exact(simulated)


def test_the_exact_posterior_passes_and_a_narrow_one_fails():
    right = calibrate_simulator(Population(), exact, num_lenses=300)
    assert right.names == ("theta_E", "light_amplitude")
    assert set(right.verdicts.values()) == {"consistent"}
    wrong = calibrate_simulator(Population(), narrow, num_lenses=300)
    assert set(wrong.verdicts.values()) == {"too narrow"}
    np.testing.assert_allclose(wrong.width_factor, 2.5, rtol=0.2)


def test_a_stopped_run_goes_on_where_it_was(tmp_path):
    whole = calibrate_simulator(Population(), exact, num_lenses=6)
    first, second, counts = Counting(), Counting(), []
    calibrate_simulator(Population(), first, num_lenses=4, checkpoint=tmp_path)
    (tmp_path / "lens_000000002.npz").unlink()
    report = calibrate_simulator(
        Population(), second, num_lenses=6, checkpoint=tmp_path, progress=counts.append
    )
    assert (first.seen, second.seen, counts) == ([0, 1, 2, 3], [2, 4, 5], [3, 4, 5, 6])
    np.testing.assert_array_equal(report.ranks.rank, whole.ranks.rank)
    np.testing.assert_array_equal(report.z_mean, whole.z_mean)


def test_what_was_finished_before_a_stop_is_kept(tmp_path):
    def stopped(simulated):
        if int(simulated.index[0]) == 2:
            raise KeyboardInterrupt
        return exact(simulated)

    with pytest.raises(KeyboardInterrupt, match=r"^$"):
        calibrate_simulator(Population(), stopped, num_lenses=5, checkpoint=tmp_path)
    assert len(list(tmp_path.glob("*.npz"))) == 2


@pytest.mark.parametrize(
    "options, message",
    [
        ({"seed": 10**9 + 7}, "seed 1000000000 instead of 1000000007"),
        ({"settings": {"weights": "b"}}, "weights 'a' instead of 'b'"),
    ],
)
def test_a_checkpoint_of_other_settings_is_refused(tmp_path, options, message):
    begun = {"num_lenses": 2, "checkpoint": tmp_path, "settings": {"weights": "a"}}
    calibrate_simulator(Population(), exact, **begun)
    with pytest.raises(CheckpointError, match=message):
        calibrate_simulator(Population(), exact, **(begun | options))


def test_a_lens_that_fails_does_not_stop_the_others(tmp_path):
    infer, again = Counting(bad=(1,)), Counting()
    report = calibrate_simulator(Population(), infer, num_lenses=5, checkpoint=tmp_path)
    assert report.failures == {1: "RuntimeError: singular matrix"}
    np.testing.assert_array_equal(report.coverage.number, [4, 4])
    same = calibrate_simulator(Population(), again, num_lenses=5, checkpoint=tmp_path)
    assert (same.failures, again.seen) == (report.failures, [])


def test_samples_that_are_not_finite_are_a_failure():
    def infer(simulated):
        draws = exact(simulated)
        draws.samples["theta_E"][3] = np.nan if simulated.index[0] == 0 else 0.0
        return draws

    report = calibrate_simulator(Population(), infer, num_lenses=3)
    assert report.failures == {0: "samples of theta_E, other are not finite"}


def test_effective_sizes_thin_the_ranks():
    def infer(simulated):
        return PosteriorDraws(exact(simulated).samples, {"theta_E": 7.9})

    report = calibrate_simulator(Population(), infer, num_lenses=3)
    np.testing.assert_array_equal(report.ranks.num_draws, 3 * [[7, DRAWS]])


def test_settings_are_in_the_report():
    report = calibrate_simulator(Population(), exact, num_lenses=2, settings={"stage": "x"})
    assert report.meta == {
        "simulator": "toy",
        "lens_model": "sis",
        "light_model": "sersic",
        "seed": 10**9,
        "stage": "x",
    }


def test_several_at_a_time_give_the_same(tmp_path):
    alone = calibrate_simulator(Population(), exact, num_lenses=12)
    with ThreadPoolExecutor(3) as pool:
        together = calibrate_simulator(Population(), exact, num_lenses=12, executor=pool)
    np.testing.assert_array_equal(alone.ranks.rank, together.ranks.rank)


def test_a_process_that_ends_is_reported():
    class Ending(ThreadPoolExecutor):
        def submit(self, *_):
            future = Future()
            future.set_exception(BrokenProcessPool("killed"))
            return future

    with pytest.raises(AstroRIMError, match="a process ended before its work"):
        calibrate_simulator(Population(), exact, num_lenses=2, executor=Ending())


def test_seeds_of_training_are_refused():
    with pytest.raises(ValueError, match="seed must be at least 1000000000 .* got 7"):
        calibrate_simulator(Population(), exact, num_lenses=1, seed=7)


def test_no_lens_is_refused():
    with pytest.raises(ValueError, match="num_lenses must be at least 1, got 0"):
        calibrate_simulator(Population(), exact, num_lenses=0)


def test_nothing_but_failures_is_an_error():
    message = "none of 2 lenses could be inferred; the first: RuntimeError: singular matrix"
    with pytest.raises(AstroRIMError, match=message):
        calibrate_simulator(Population(), Counting(bad=(0, 1)), num_lenses=2)


def test_parameters_without_a_truth_cannot_be_judged():
    with pytest.raises(AstroRIMError, match=r"no parameter inferred \(mass\) is one that"):
        calibrate_simulator(
            Population(), lambda _: PosteriorDraws({"mass": np.zeros(3)}), num_lenses=1
        )


def test_another_number_of_samples_from_lens_to_lens_is_refused():
    def infer(simulated):
        return PosteriorDraws({"theta_E": np.arange(2.0 + int(simulated.index[0]))})

    with pytest.raises(ValueError, match="the same parameters and number of samples"):
        calibrate_simulator(Population(), infer, num_lenses=2)
