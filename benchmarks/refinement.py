"""Refine a simulated lens, and fit the same image with lenstronomy's particle swarm.

Run from the top of the checkout; threads as OMP_NUM_THREADS says::

    OMP_NUM_THREADS=2 python benchmarks/refinement.py --particles 50 --iterations 60

Both fit lens, lens light and source to one image of 100 x 100 pixels by its exact
likelihood: AstroRIM an SIE with shear and a pixel source from a blind start, lenstronomy the
same lens with an elliptical Sersic source, its amplitudes solved linearly, from a swarm ten
posterior deviations wide around AstroRIM's solution. Reduced chi-square is of the same
pixels. One evaluation is a source inversion of 40 x 40 pixels with the curvature of all
non-linear parameters. The refinement has 32 x 32, or more where that leaves a misfit;
Hamiltonian Monte Carlo samples on the same, and its time is that of the samples alone.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import time

import numpy as np
import torch
from lenstronomy.Workflow.fitting_sequence import FittingSequence

from astrorim.inference import LensRefiner
from astrorim.inference.lens_fit import LensFit
from astrorim.inference.lens_posterior import SamplingOptions
from astrorim.inference.refinement import RefinementOptions, refine
from astrorim.inference.source_pixels import source_frames
from astrorim.interchange import to_observation
from astrorim.interchange.lenstronomy_fitting import fitting_arguments
from astrorim.lensing.forward import ForwardModel
from astrorim.plugins import load_plugins
from astrorim.rim.tensors import batch_observations

_SIDE, _SOURCE = 100, 40


def main() -> None:
    """Time both, print a line for each."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--particles", type=int, default=50)
    parser.add_argument("--iterations", type=int, default=60)
    parser.add_argument(
        "--ess", type=float, default=400, help="effective size to sample to; 0 for none"
    )
    parser.add_argument("--index", type=int, default=2, help="which foundation lens")
    args = parser.parse_args()
    simulator = load_plugins().simulators.create("foundation")
    simulated = simulator.simulate(1, seed=10**9, start=args.index, shape=(_SIDE, _SIDE))
    observation = to_observation(simulated, 0)
    refiner = LensRefiner(light_model="sersic", mask="own")
    began = time.perf_counter()
    result = refiner.refine(observation)
    seconds = time.perf_counter() - began
    truth = float(simulated.lens["theta_E"][0])
    print(f"threads {torch.get_num_threads()}")
    print(
        f"refinement, blind start   {seconds:8.2f} s  reduced chi2 {result.reduced_chi2:.3f}  "
        f"theta_E {100 * (result.lens['theta_E'] / truth - 1):+.3f} %"
    )
    print(f"one evaluation, gradient  {_evaluation(refiner, observation, result):8.2f} s")
    if args.ess:
        options = SamplingOptions(target_ess=args.ess)
        sampler = LensRefiner(
            light_model="sersic", mask="own", posterior="hmc", sampling=options
        )
        began = time.perf_counter()
        drawn = sampler.refine(observation).provenance["posterior"]
        print(
            f"Hamiltonian Monte Carlo   {time.perf_counter() - began - seconds:8.2f} s  "
            f"effective size {drawn['least_ess']:.0f} of {drawn['number']} draws, "
            f"{drawn['num_chains'] * drawn['num_evaluations']} gradients, R-hat at most "
            f"{drawn['largest_r_hat']:.3f}, acceptance {drawn['acceptance']:.2f}"
        )
    arguments = fitting_arguments(result)
    for columns in arguments["kwargs_params"].values():
        columns[1] = [{k: 10 * v for k, v in sigma.items()} for sigma in columns[1]]
    began = time.perf_counter()
    silence = io.StringIO()
    with contextlib.redirect_stdout(silence), contextlib.redirect_stderr(silence):
        sequence = FittingSequence(**arguments)
        sequence.fit_sequence(
            [["PSO", {"n_particles": args.particles, "n_iterations": args.iterations}]]
        )
    swarm = time.perf_counter() - began
    best = sequence.best_fit()
    with contextlib.redirect_stdout(io.StringIO()):
        likelihood = sequence.best_fit_likelihood()
    chi2 = -2 * likelihood / int(np.sum(observation.good))
    theta_e = best["kwargs_lens"][0]["theta_E"]
    print(
        f"lenstronomy, swarm        {swarm:8.2f} s  reduced chi2 {chi2:.3f}  "
        f"theta_E {100 * (theta_e / truth - 1):+.3f} %  ({swarm / seconds:.1f} times as long)"
    )


def _evaluation(refiner: LensRefiner, observation: object, result: object) -> float:
    """Median seconds of an inversion with the curvature of the other parameters."""
    system = refiner.system
    batch = batch_observations([observation], size=_SIDE)
    model = ForwardModel(system, batch.data)
    names = system.parameters.names
    point = [
        result.lens.get(name, result.light.get(name.removeprefix("light_"), 0.0))
        for name in names
    ]
    values = model.data.image.new_tensor([point])
    fit = LensFit(model, torch.ones(model.shape, dtype=torch.bool), _SOURCE)
    frames = source_frames(model, values, _SOURCE)
    strength = fit.problem(values, frames).best_strength()
    times = []
    for _ in range(3):
        began = time.perf_counter()
        refine(
            fit, values, frames, strength=strength,
            options=RefinementOptions(max_steps=1, tempered=False),
        )  # fmt: skip
        times.append(time.perf_counter() - began)
    return float(np.median(times))


if __name__ == "__main__":
    main()
