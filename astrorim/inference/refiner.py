"""`LensRefiner`: from an observation to a reconstruction, without a trained network."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import torch

from astrorim.exceptions import ObservationError
from astrorim.inference.image_prediction import predicted_share
from astrorim.inference.laplace import laplace_samples
from astrorim.inference.lens_posterior import SamplingOptions, sample_lens
from astrorim.inference.lens_search import SearchOptions, fit_lens
from astrorim.inference.light_fit import light_on_frame
from astrorim.inference.model_evidence import log_model_evidence, source_log_bayes_factor
from astrorim.inference.pixel_choices import solve_on_other_pixels
from astrorim.inference.refinement import at_mean
from astrorim.inference.unlensed import lensing_odds
from astrorim.lensing.forward import ForwardModel
from astrorim.lensing.system import LIGHT_PREFIX, LensSystem
from astrorim.observation.masking import neighbour_mask
from astrorim.observation.sky_noise import measure_sky
from astrorim.plugins import load_plugins
from astrorim.results.quality import LENSING_ODDS, PREDICTED_SHARE, SOURCE_ODDS
from astrorim.rim.outcome import as_numpy, build_reconstruction
from astrorim.rim.reconstructor import check_usable
from astrorim.rim.tensors import batch_observations

if TYPE_CHECKING:
    from collections.abc import Mapping

    from torch import Tensor

    from astrorim.inference.lens_fit import LensFit
    from astrorim.inference.refinement import RefinementState
    from astrorim.observation import LensObservation
    from astrorim.observation.sky_noise import SkyNoise
    from astrorim.plugins import Plugins
    from astrorim.results import Reconstruction

__all__ = ["AUTO", "AUTO_MODELS", "LensRefiner"]

AUTO = "auto"
AUTO_MODELS = ("sie+shear", "epl+shear")
"""Lens models that are tried in turn where the choice is automatic."""

_WORKING_FRAME = 256
_NUM_SAMPLES = 512
_CORRELATED = 2  # pixels that noise is correlated over, at most
_SEEN = 0.5  # of a source pixel's images, in the fitted region, for it to be kept


class LensRefiner:
    """Fits lens, lens light and pixel source to an image by exact inversion.

    The source and the linear light amplitudes are solved at every step, under a smoothness
    prior whose strength the evidence sets; the other parameters descend by Gauss-Newton
    (`~astrorim.inference.refinement.refine`) from a start that is given or searched for.

    Parameters
    ----------
    lens_model : str, optional
        Registered lens model, or a sum; "auto" for the first of `AUTO_MODELS`, and the
        second where that leaves a misfit and the evidence prefers it.
    light_model : str, optional
        Registered lens-light model, or a sum.
    mask : {"auto", "own"}, optional
        Whether to leave out neighbours found in the image besides the pixels that the
        observation masks itself.
    noise_correlation : {"none", "sky"}, optional
        Whether the noise of one pixel says something about the next one's: "sky" measures
        its correlation on the blank sky of each image
        (`~astrorim.observation.sky_noise.measure_sky`), for drizzled or resampled images.
    posterior : {"laplace", "hmc"}, optional
        Samples from the Gaussian around the solution, or by Hamiltonian Monte Carlo from the
        exact posterior, `~astrorim.inference.lens_posterior`.
    options : SearchOptions, optional
        How to search and descend.
    sampling : SamplingOptions, optional
        How to sample by Hamiltonian Monte Carlo.
    plugins : Plugins, optional
        Where names are looked up; the installed ones by default.

    Raises
    ------
    UnknownNameError
        If a model is not registered.
    ValueError
        If ``mask``, ``noise_correlation`` or ``posterior`` is neither of its choices.
    """

    def __init__(
        self,
        *,
        lens_model: str = "sie+shear",
        light_model: str = "multi-gaussian",
        mask: Literal["auto", "own"] = "auto",
        noise_correlation: Literal["none", "sky"] = "none",
        posterior: Literal["laplace", "hmc"] = "laplace",
        options: SearchOptions | None = None,
        sampling: SamplingOptions | None = None,
        plugins: Plugins | None = None,
    ) -> None:
        if mask not in ("auto", "own"):
            raise ValueError(f'mask must be "auto" or "own", got {mask!r}')
        if noise_correlation not in ("none", "sky"):
            raise ValueError(
                f'noise_correlation must be "none" or "sky", got {noise_correlation!r}'
            )
        if posterior not in ("laplace", "hmc"):
            raise ValueError(f'posterior must be "laplace" or "hmc", got {posterior!r}')
        plugins = plugins or load_plugins()
        wanted = AUTO_MODELS if lens_model == AUTO else (lens_model,)
        self.lens_models = [plugins.lens_models.canonical_name(name) for name in wanted]
        self.lens_model = lens_model if lens_model == AUTO else self.lens_models[0]
        self.light_model = light_model
        self.mask = mask
        self.noise_correlation = noise_correlation
        self.posterior = posterior
        self.options = options or SearchOptions()
        self.sampling = sampling or SamplingOptions()
        self.system, *richer = (
            LensSystem(
                plugins.lens_models.resolve(name), plugins.light_models.resolve(light_model)
            )
            for name in self.lens_models
        )
        self._richer = richer[0] if richer else None

    def refine(
        self,
        observation: LensObservation,
        *,
        start: Mapping[str, float] | None = None,
        seed: int = 0,
    ) -> Reconstruction:
        """Fit one lens.

        Parameters
        ----------
        observation : LensObservation
            With unit, noise, PSF and pixel scale, and the lens near the frame's centre.
        start : mapping of str to float, optional
            Parameters of the lens, and of its light (``light_`` prefixed), by internal
            name, ``theta_E`` among them; those of other models are ignored. Without it
            the image alone is searched for a start.
        seed : int, optional
            Of the posterior samples.

        Returns
        -------
        Reconstruction
            With samples of its posterior; its provenance says how they were drawn.

        Raises
        ------
        ObservationError
            If the observation lacks what is needed; the message says what to pass. If the
            correlation of the noise is wanted and the frame shows too little blank sky.
        ValueError
            If a start has no ``theta_E``, or a value that its parameter cannot have.
        """
        check_usable(observation)
        batch = batch_observations([observation], size=_WORKING_FRAME)
        model = ForwardModel(self.system, batch.data)
        used = self._used(observation, model)
        values = None if start is None else self._start(start, model)
        sky, correlation = _sky(observation), None
        if self.noise_correlation == "sky":
            correlation = measure_sky(observation, max_lag=_CORRELATED).correlation
        fit, best = fit_lens(model, used, values, self.options, correlation, self._richer)
        system = fit.model.system
        model = model.changed(system=system)
        samples, drawn = self._samples(fit, best, torch.Generator().manual_seed(seed))
        # The best fit on one choice of the source's pixels may be far from that on others.
        state = at_mean(fit, best, samples)
        fitted = _on_frame(fit.used, used)
        traced = model.changed(supersampling=fit.model.supersampling)
        operator = traced.source_operator(state.values, state.source_frames)
        # What is mostly seen outside the fitted region is a guess of the prior's.
        everywhere = operator.transpose(torch.ones_like(model.data.image))
        seen = operator.transpose(fitted[None].to(everywhere)) > _SEEN * everywhere
        source = torch.where(seen, fit.source(state.inversion), 0.0)
        arcs = operator.apply(source)
        point = light_on_frame(model, used, state.values, arcs, fitted)
        odds = lensing_odds(fit, best)
        flux = batch.unit_flux[0]
        return build_reconstruction(
            system,
            observation,
            name=observation.name or "lens",
            models=(self.lens_models[int(system is self._richer)], self.light_model),
            values=point,
            frames=state.source_frames,
            source=source,
            samples=samples,
            unit_flux=flux,
            steps={
                "reduced_chi2": as_numpy(torch.tensor([state.inversion.chi2 / fit.num_pixels]))
            },
            provenance=self._provenance(seed)
            | {
                "log_evidence": log_model_evidence(fit, best),
                SOURCE_ODDS: source_log_bayes_factor(fit, best),
                LENSING_ODDS: odds.log_bayes_factor,
                "unlensed_stars": odds.num_stars,
                PREDICTED_SHARE: predicted_share(fit, best),
                "start": "blind" if start is None else "given",
                "posterior": drawn,
                "notes": list(best.notes),
            },
            sky=sky,
            supersampling=fit.model.supersampling,
        )

    def _samples(
        self, fit: LensFit, state: RefinementState, generator: torch.Generator
    ) -> tuple[Tensor, dict[str, object]]:
        """Parameters (S, P), and how they were drawn."""
        if self.posterior == "laplace":
            choices = solve_on_other_pixels(fit, state, generator)
            samples = laplace_samples(fit, state, _NUM_SAMPLES, generator, choices)
            scatter = choices.scatter[: fit.model.system.num_lens]
            return samples, {
                "method": "laplace",
                "number": len(samples),
                "pixel_choices": 1 + len(choices.places),
                "pixel_scatter": float(scatter.max()),
            }
        drawn = sample_lens(fit, state, generator, self.sampling)
        return drawn.values, {
            "method": "hmc",
            "number": len(drawn.values),
            "num_chains": self.sampling.num_chains,
            "least_ess": float(drawn.ess.min()),
            "largest_r_hat": float(drawn.r_hat.max()),
            "acceptance": drawn.acceptance,
            "num_evaluations": drawn.num_evaluations,
            "pixel_scatter": drawn.pixel_scatter,
        }

    def _used(self, observation: LensObservation, model: ForwardModel) -> Tensor:
        """Pixels (H, W) of the model's frame that are fitted."""
        good = model.data.good[0] > 0
        if self.mask == "own":
            return good
        masked = neighbour_mask(observation)
        cut = [
            (whole - part) // 2 for whole, part in zip(masked.shape, good.shape, strict=True)
        ]
        inner = masked[cut[0] : cut[0] + good.shape[0], cut[1] : cut[1] + good.shape[1]]
        return good & ~torch.from_numpy(inner.copy())

    def _start(self, start: Mapping[str, float], model: ForwardModel) -> Tensor:
        """A start (1, P): what is not given is round, centred, and without shear."""
        if "theta_E" not in start:
            raise ValueError(f"start must name theta_E, got {sorted(start)}")
        values = []
        for p in self.system.parameters:
            low, high = p.prior
            middle = (low * high) ** 0.5 if low > 0 else (low + high) / 2
            same = p.name.removeprefix(LIGHT_PREFIX)
            shared = p.name != same and same in ("x0", "y0")
            middle = start.get(same, middle) if shared else middle
            values.append(middle if p.linear else float(start.get(p.name, middle)))
        result = model.data.image.new_tensor([values])
        low_all, high_all = self.system.supports(result)
        for i, p in enumerate(self.system.parameters):
            if p.name in start and not low_all[i] <= result[0, i] <= high_all[i]:
                raise ValueError(
                    f"start's {p.name} must be in [{float(low_all[i]):g}, "
                    f"{float(high_all[i]):g}], got {start[p.name]:g}"
                )
        return result

    def _provenance(self, seed: int) -> dict[str, object]:
        import astrorim

        return {
            "astrorim": astrorim.__version__,
            "torch": str(torch.__version__),
            "stage": "refined",
            "mask": self.mask,
            "noise_correlation": self.noise_correlation,
            "source_size": self.options.source_size,
            "seed": seed,
        }


def _on_frame(part: Tensor, frame: Tensor) -> Tensor:
    """A mask (h, w) of the middle of a frame on the frame of another one (H, W)."""
    result = torch.zeros_like(frame)
    top, left = ((n - m) // 2 for n, m in zip(frame.shape, part.shape, strict=True))
    result[top : top + part.shape[0], left : left + part.shape[1]] = part
    return result


def _sky(observation: LensObservation) -> SkyNoise | None:
    """The noise of the blank sky; None where the frame shows too little of it."""
    try:
        return measure_sky(observation)
    except ObservationError:
        return None
