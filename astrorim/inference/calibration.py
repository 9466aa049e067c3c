"""Posteriors of simulated lenses that no training saw, compared with their truths.

Any inference can be judged: an amortised one whose errors `measure_error_factors` has
widened, as well as samples of the exact posterior.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Executor, as_completed
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from astrorim.exceptions import AstroRIMError
from astrorim.inference.draws_checkpoint import DrawsCheckpoint, LensDraws
from astrorim.inference.evaluation import FIRST_EVALUATION_SEED
from astrorim.results.calibration import CalibrationReport, measure_calibration
from astrorim.results.parameter_table import LIGHT_PREFIX

if TYPE_CHECKING:
    from astrorim.interfaces import SimulatedLenses, Simulator

__all__ = ["InferPosterior", "PosteriorDraws", "calibrate_simulator"]


@dataclass(frozen=True, eq=False)
class PosteriorDraws:
    """Posterior samples of one lens.

    Parameters
    ----------
    samples : mapping of str to ndarray, (S,)
        Samples by parameter, in the units of the truth; light names prefixed ``light_``.
        Samples of a chain in its order, chains one after the other.
    effective_size : mapping of str to float, optional
        Number of independent samples that they are worth; S where it is left out.
    statistics : mapping of str to float, optional
        Other numbers of the inference that are worth keeping, for example
        ``reduced_chi2`` and ``seconds``.
    """

    samples: Mapping[str, np.ndarray]
    effective_size: Mapping[str, float] = field(default_factory=dict)
    statistics: Mapping[str, float] = field(default_factory=dict)


class InferPosterior(Protocol):
    """Infers one simulated lens; pickled where several processes are to do it.

    Random numbers are to differ from lens to lens, seeded by ``simulated.index``: errors
    that all lenses share would look like a fault of the posterior.
    """

    def __call__(self, simulated: SimulatedLenses) -> PosteriorDraws:
        """Posterior samples of the only lens in a batch.

        Parameters
        ----------
        simulated : SimulatedLenses
            A batch of one; its truth is not to be looked at.

        Returns
        -------
        PosteriorDraws
        """


def calibrate_simulator(
    simulator: Simulator,
    infer: InferPosterior,
    *,
    num_lenses: int,
    seed: int = FIRST_EVALUATION_SEED,
    level: float = 0.68,
    settings: Mapping[str, Any] | None = None,
    checkpoint: Path | None = None,
    executor: Executor | None = None,
    progress: Callable[[int], object] | None = None,
) -> CalibrationReport:
    """Infer simulated lenses and compare their posteriors with the truths.

    Parameters whose truth the simulator gives by the same name are judged. A lens whose
    inference raises an exception, or gives samples that are not finite, is counted as failed
    with its reason.

    Parameters
    ----------
    simulator : Simulator
        Draws the lenses 0 to ``num_lenses - 1``; rendered at 4 x 4 sub-pixels.
    infer : InferPosterior
        What is judged.
    num_lenses : int
        How many lenses.
    seed : int, optional
        Of the dataset; at least 10^9, which training never uses.
    level : float, optional
        Level of the interval that is reported.
    settings : mapping of str to object, optional
        What the samples of ``infer`` depend on, plain JSON types, for example the weights'
        checksum; kept with the samples and in the report.
    checkpoint : Path, optional
        Directory where each lens's samples are kept; what it holds already is not inferred
        again, also when more lenses are asked for.
    executor : Executor, optional
        Where lenses are inferred, several at a time; in this process by default.
    progress : callable, optional
        Called with the number of finished lenses.

    Returns
    -------
    CalibrationReport

    Raises
    ------
    ValueError
        If the seed is one that training uses, there is no lens, or ``infer`` gives other
        parameters or another number of samples from lens to lens.
    CheckpointError
        If the checkpoint was begun with other settings or a file of it is damaged.
    AstroRIMError
        If every lens fails, no parameter has a truth, or a process of the executor ends.
    """
    if seed < FIRST_EVALUATION_SEED:
        raise ValueError(
            f"seed must be at least {FIRST_EVALUATION_SEED} for calibration, got {seed}: "
            "training uses the seeds below"
        )
    if num_lenses < 1:
        raise ValueError(f"num_lenses must be at least 1, got {num_lenses}")
    facts = {
        "simulator": simulator.name,
        "lens_model": simulator.lens_model,
        "light_model": simulator.light_model,
        "seed": seed,
        **(settings or {}),
    }
    store = DrawsCheckpoint(checkpoint, facts) if checkpoint is not None else None
    found: dict[int, LensDraws] = {}
    if store is not None:
        kept = ((index, store.read(index)) for index in range(num_lenses))
        found = {index: draws for index, draws in kept if draws is not None}
    if progress is not None:
        progress(len(found))
    missing = [index for index in range(num_lenses) if index not in found]
    for index, draws in _infer_all(simulator, infer, seed, missing, executor):
        if store is not None:
            store.write(index, draws)
        found[index] = draws
        if progress is not None:
            progress(len(found))
    return _report([found[index] for index in range(num_lenses)], level, facts)


def _infer_all(
    simulator: Simulator,
    infer: InferPosterior,
    seed: int,
    indices: list[int],
    executor: Executor | None,
) -> Iterator[tuple[int, LensDraws]]:
    """Lenses as they are finished."""
    if executor is None:
        for index in indices:
            yield index, _infer_one(simulator, infer, seed, index)
        return
    futures = {executor.submit(_infer_one, simulator, infer, seed, i): i for i in indices}
    try:
        for future in as_completed(futures):
            yield futures[future], future.result()
    except BrokenProcessPool as error:
        raise AstroRIMError(
            "a process ended before its work, killed perhaps for want of memory; with fewer "
            "processes and the same checkpoint it goes on from here"
        ) from error
    finally:
        for future in futures:
            future.cancel()


def _infer_one(simulator: Simulator, infer: InferPosterior, seed: int, index: int) -> LensDraws:
    simulated = simulator.simulate(1, seed=seed, start=index)
    truth = {name: float(value[0]) for name, value in simulated.lens.items()}
    truth |= {LIGHT_PREFIX + name: float(v[0]) for name, v in simulated.light.items()}
    try:
        drawn = infer(simulated)
    except Exception as error:  # noqa: BLE001  (whatever it is, the other lenses go on)
        return LensDraws(truth, reason=f"{type(error).__name__}: {error}")
    samples = {name: np.asarray(chain, dtype=float) for name, chain in drawn.samples.items()}
    bad = [name for name, chain in samples.items() if not np.isfinite(chain).all()]
    if bad:
        return LensDraws(truth, reason=f"samples of {', '.join(bad)} are not finite")
    return LensDraws(truth, samples, drawn.effective_size, drawn.statistics)


def _report(
    lenses: list[LensDraws], level: float, facts: Mapping[str, Any]
) -> CalibrationReport:
    good = [draws for draws in lenses if not draws.reason]
    failures = {i: draws.reason for i, draws in enumerate(lenses) if draws.reason}
    if not good:
        raise AstroRIMError(
            f"none of {len(lenses)} lenses could be inferred; the first: {failures[0]}"
        )
    truths = {name for draws in good for name in draws.truth}
    names = [name for name in good[0].samples if name in truths]
    if not names:
        raise AstroRIMError(
            f"no parameter inferred ({', '.join(good[0].samples)}) is one that the simulator "
            f"draws ({', '.join(sorted(truths))})"
        )
    shapes = {(*draws.samples, *map(np.shape, draws.samples.values())) for draws in good}
    size = len(good[0].samples[names[0]])
    if len(shapes) > 1:
        raise ValueError(
            "infer must give the same parameters and number of samples for each lens, got "
            f"{size} of {', '.join(good[0].samples)}, and others"
        )
    samples = np.full((len(lenses), size, len(names)), np.nan)
    truth = np.full((len(lenses), len(names)), np.nan)
    effective = truth.copy()
    for lens, draws in enumerate(lenses):
        if draws.reason:
            continue
        for column, name in enumerate(names):
            samples[lens, :, column] = draws.samples[name]
            truth[lens, column] = draws.truth.get(name, np.nan)
            effective[lens, column] = draws.effective_size.get(name, np.nan)
    return measure_calibration(
        samples,
        truth,
        names,
        level=level,
        effective_size=effective if np.isfinite(effective).any() else None,
        failures=failures,
        meta=facts,
    )
