r"""The best that a linear method can do: inversion with everything but the source known.

Given the true lens, lens light, PSF and noise, the image is linear in the source. Under a
Gaussian prior the most probable source is the minimum-variance linear estimate; which prior
is a choice, made here by the evidence alone, without a look at the true source: gradient or
curvature, its strength, the width of the frame and how far its pixels are drawn together in
the middle (Suyu et al. 2006, MNRAS 371, 983, equations 12 and 19).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch

from astrorim.inference.lens_fit import LensFit
from astrorim.inference.smoothness import smoothness_log_determinant, smoothness_matrix
from astrorim.inference.source_pixels import bright_centre
from astrorim.inference.true_model import true_model
from astrorim.lensing.interpolation import SourceFrames, SourceSampler
from astrorim.rim.source_frames import frames_from_arcs

if TYPE_CHECKING:
    from torch import Tensor

    from astrorim.grid import SourceGrid
    from astrorim.inference.inversion import Inversion
    from astrorim.inference.smoothness import SmoothnessKind
    from astrorim.inference.true_model import TrueModel
    from astrorim.results.lens_truth import LensTruth

__all__ = ["OracleInversion", "OracleOptions", "oracle_inversion", "source_on_grid"]

_LARGEST = 1.4  # half a frame at most, in Einstein radii, unless the arcs ask for more
_BEYOND = 6  # pixels around the traced frame, for what the PSF spreads
_TOLERANCE = 0.1  # of the logarithm of a strength


@dataclass(frozen=True)
class OracleOptions:
    """What the evidence chooses from.

    Parameters
    ----------
    search_size : int, optional
        Pixels along each side of the source while frames are compared.
    size : int, optional
        The same of a finer source on the best of them, taken where its evidence is larger.
    kinds : tuple of str, optional
        Priors.
    widths : tuple of float, optional
        Of the frame, over the one that holds the arcs.
    stretches : tuple of float, optional
        Of the frame's pixels; see `~astrorim.lensing.interpolation.SourceFrames`. They are
        tried in this order until the evidence falls.

    Raises
    ------
    ValueError
        If there is nothing to choose from.
    """

    search_size: int = 32
    size: int = 48
    kinds: tuple[SmoothnessKind, ...] = ("gradient", "curvature")
    widths: tuple[float, ...] = (0.7, 1.0, 1.5, 2.2, 3.3)
    stretches: tuple[float, ...] = (0.0, 2.5, 6.0, 15.0, 40.0, 100.0, 300.0)

    def __post_init__(self) -> None:
        for name in ("kinds", "widths", "stretches"):
            if not getattr(self, name):
                raise ValueError(f"{name} must give at least one to choose from, got none")


@dataclass(frozen=True)
class OracleInversion:
    """The inversion of largest evidence.

    Parameters
    ----------
    inversion : Inversion
        Source in units of the image's noise.
    frames : SourceFrames
        Its frame.
    kind : {"gradient", "curvature"}
        Its prior.
    true : TrueModel
        What was inverted.
    """

    inversion: Inversion
    frames: SourceFrames
    kind: SmoothnessKind
    true: TrueModel

    @property
    def log_evidence(self) -> float:
        """Natural logarithm of the evidence; see `Inversion.log_evidence`."""
        return self.inversion.log_evidence

    @property
    def core(self) -> Tensor:
        """Centre (1, 2) of the squared source, arcsec."""
        n = self.frames.size
        source = self.inversion.mean[: n * n].reshape(1, n, n)
        return bright_centre(self.frames, source.to(self.frames.centre))

    @property
    def source(self) -> np.ndarray:
        """Source (n, n) on its frame, flux per arcsec^2 in the observation's unit."""
        n = self.frames.size
        return self.inversion.mean[: n * n].reshape(n, n).numpy() * self.true.unit_flux

    @property
    def reduced_chi2(self) -> float:
        """Chi-square over the number of pixels that were fitted."""
        return self.inversion.chi2 / len(self.inversion.residual)

    @property
    def expected_reduced_chi2(self) -> float:
        """The same for a source that the prior describes: one, less what the data fix."""
        return 1 - self.inversion.effective_parameters / len(self.inversion.residual)


@torch.no_grad()
def oracle_inversion(truth: LensTruth, options: OracleOptions | None = None) -> OracleInversion:
    """Invert an image with its true lens, lens light, PSF and noise.

    Parameters
    ----------
    truth : LensTruth
        The image and its truth, of which the source is not looked at.
    options : OracleOptions, optional
        What the evidence chooses from.

    Returns
    -------
    OracleInversion
    """
    options = options or OracleOptions()
    true = true_model(truth, fit_light=False)
    arcs = _arc_frame(true, truth.effective_einstein_radius)
    largest = _LARGEST * truth.effective_einstein_radius
    widest = _scaled(arcs, max(options.widths), 0.0, options.search_size)
    search = _Search(true.within(_reach(true, _limited(widest, largest))), options.kinds)

    def wider(best: OracleInversion) -> list[tuple[str, float]]:
        half = float(best.frames.half)
        widths = sorted(width for width in options.widths if width > 1)
        return [("half", min(half * width, max(half, largest))) for width in widths]

    best = search.best(_scaled(arcs, 1.0, options.stretches[0], options.search_size))
    stretches = [("stretch", stretch) for stretch in options.stretches]
    best = search.climb(best, stretches[1:])
    narrow = [("half", float(best.frames.half) * w) for w in options.widths if w < 1]
    best = search.climb(best, wider(best))
    best = search.climb(best, narrow)
    best = search.climb(best, [s for s in stretches if s[1] > best.frames.stretch])
    fine = search.best(_scaled(best.frames, 1.0, best.frames.stretch, options.size))
    fine = search.climb(fine, wider(fine))
    return max(best, fine, key=lambda one: one.log_evidence)


class _Search:
    """Inversions of one image on different frames, each with its better prior."""

    def __init__(self, true: TrueModel, kinds: tuple[SmoothnessKind, ...]) -> None:
        self.true, self.kinds = true, kinds

    def best(self, frames: SourceFrames) -> OracleInversion:
        """Prior and strength of largest evidence on a frame."""
        true, found = self.true, []
        fit = LensFit(true.model, true.used, frames.size, self.kinds[0])
        problem = fit.problem(true.values, frames)
        for kind in self.kinds:
            own = problem.with_smoothness(
                smoothness_matrix(frames.size, kind),
                smoothness_log_determinant(frames.size, kind),
            )
            inversion = own.invert(own.best_strength(tolerance=_TOLERANCE))
            found.append(OracleInversion(inversion, frames, kind, true))
        return max(found, key=lambda one: one.log_evidence)

    def climb(self, best: OracleInversion, changes: list[tuple[str, float]]) -> OracleInversion:
        """Change stretch or half width of the frame, in turn, until the evidence falls."""
        for name, value in changes:
            frames = best.frames
            if name == "stretch":
                frames = frames._replace(stretch=value, centre=best.core)
            else:
                scale = frames.pixel_scale.new_full((1,), 2 * value / frames.size)
                frames = frames._replace(pixel_scale=scale)
            found = self.best(frames)
            if found.log_evidence <= best.log_evidence:
                break
            best = found
        return best


def _limited(frames: SourceFrames, half: float) -> SourceFrames:
    """The same frame, half of it no wider than this, arcsec."""
    return frames._replace(pixel_scale=frames.pixel_scale.clamp_max(2 * half / frames.size))


def _scaled(frames: SourceFrames, width: float, stretch: float, size: int) -> SourceFrames:
    """A frame about the same centre, so many times as wide."""
    return SourceFrames(frames.centre, 2 * width * frames.half / size, size, stretch)


def _arc_frame(true: TrueModel, einstein_radius: float) -> SourceFrames:
    """Frame of the source from where the arcs trace back to."""
    return frames_from_arcs(
        true.model,
        true.values,
        torch.zeros_like(true.model.data.image),
        1,
        theta_e=true.values.new_tensor([einstein_radius]),
        centre=true.values.new_tensor([true.centre]),
    )


def _reach(true: TrueModel, frames: SourceFrames) -> float:
    """Distance from the lens, arcsec, within which the image shows anything of a frame."""
    model, k = true.model, true.model.supersampling
    x, y = model.positions(k)
    places = frames.pixels(*model.trace(true.values))
    inside = ((places[0] - (frames.size - 1) / 2).abs() < frames.size / 2) & (
        (places[1] - (frames.size - 1) / 2).abs() < frames.size / 2
    )
    x0, y0 = true.centre
    distance = torch.hypot(x - x0, y - y0)[inside]
    furthest = float(distance.max()) if distance.numel() else 0.0
    return furthest + _BEYOND * float(model.data.pixel_scale[0])


def source_on_grid(source: np.ndarray, frames: SourceFrames, onto: SourceGrid) -> np.ndarray:
    """A source of a frame, stretched or not, averaged over the pixels of a grid.

    Parameters
    ----------
    source : ndarray, (n, n), flux per arcsec^2
        On the frame's pixels.
    frames : SourceFrames
        Of one lens.
    onto : SourceGrid
        Where to.

    Returns
    -------
    ndarray, (ny, nx), flux per arcsec^2
    """
    finest = float(1 / max(slope.max() for slope in _slopes(frames)))
    k = int(np.clip(np.ceil(2 * onto.pixel_scale / finest), 2, 8))
    x, y = (torch.from_numpy(place)[None] for place in onto.coordinates(k))
    double = frames._replace(
        centre=frames.centre.double(), pixel_scale=frames.pixel_scale.double()
    )
    fine = SourceSampler(x, y, double).apply(torch.from_numpy(np.array(source))[None].double())
    rows, columns = onto.shape
    return fine[0].reshape(rows, k, columns, k).mean(dim=(1, 3)).numpy()


def _slopes(frames: SourceFrames) -> tuple[torch.Tensor, torch.Tensor]:
    return frames.pixels_per_arcsec(*frames.coordinates())
