"""What a redshift from a spectrum is: its value, its error, and whether to believe it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from astropy.table import QTable

from astrorim.exceptions import SpectrumError

if TYPE_CHECKING:
    import numpy as np

    from astrorim.observation import LensObservation

__all__ = ["FLAGS", "FeatureMeasurement", "RedshiftEstimate", "SpectrumRedshifts"]

FLAGS = {
    "insignificant": "nothing at this redshift stands out of the noise",
    "ambiguous": "another redshift fits nearly as well",
    "single-feature": "only one feature is seen, which could be another one",
    "at-limit": "the redshift lies at the limit of the range that was searched",
}
"""Why a redshift is not to be relied on, by name of the flag."""


@dataclass(frozen=True)
class FeatureMeasurement:
    """One line or band at the redshift that was found.

    Parameters
    ----------
    name : str
        Name of the feature.
    observed_wavelength : float
        Of its strongest line or of the mean of a close pair, angstrom in vacuum.
    strength : float
        Flux in the spectrum's unit times angstrom, of emission; equivalent width in the
        rest frame, angstrom, of absorption.
    significance : float
        Square root of the chi-square that the fit loses without it.
    """

    name: str
    observed_wavelength: float
    strength: float
    significance: float


@dataclass(frozen=True)
class RedshiftEstimate:
    """A redshift with what speaks for and against it.

    Parameters
    ----------
    kind : str
        ``"absorption"`` or ``"emission"``: by which features it was found.
    redshift : float
        In vacuum, in the frame of the spectrum's wavelengths.
    uncertainty : float
        Standard deviation from the noise and, in quadrature, from the template.
    velocity_width : float
        Standard deviation of the features, km/s, the instrument's included.
    improvement : float
        Chi-square without the features minus that with them.
    runner_up : float
        Second-best redshift, more than 1500 km/s away.
    runner_up_improvement : float
        Its chi-square difference.
    features : tuple of FeatureMeasurement
        All features inside the spectrum.
    flags : tuple of str
        Names in `FLAGS`; empty for a redshift to rely on.
    model : ndarray, (N,), flux
        What the features add to the continuum, at the prepared spectrum's pixels.
    """

    kind: str
    redshift: float
    uncertainty: float
    velocity_width: float
    improvement: float
    runner_up: float
    runner_up_improvement: float
    features: tuple[FeatureMeasurement, ...]
    flags: tuple[str, ...]
    model: np.ndarray = field(repr=False, compare=False)

    @property
    def reliable(self) -> bool:
        """Whether nothing speaks against it."""
        return not self.flags

    def __str__(self) -> str:
        text = f"{self.redshift:.5f} +- {self.uncertainty:.5f} ({self.kind})"
        reasons = "; ".join(f"{flag}: {FLAGS[flag]}" for flag in self.flags)
        return f"{text} NOT RELIABLE, {reasons}" if reasons else text


@dataclass(frozen=True)
class SpectrumRedshifts:
    """The redshifts of lens and source that one spectrum shows.

    Parameters
    ----------
    lens : RedshiftEstimate or None
        From absorption; None where it was given.
    source : RedshiftEstimate or None
        From emission behind the lens; None where nothing at all was found.
    others : tuple of RedshiftEstimate
        Further emission: the lens' own, and galaxies in front of it.
    given_z_lens : float or None
        Redshift of the lens, where it was given.
    noise_scale : float
        Median factor by which the noise was raised to fit the scatter.
    """

    lens: RedshiftEstimate | None
    source: RedshiftEstimate | None
    others: tuple[RedshiftEstimate, ...]
    given_z_lens: float | None
    noise_scale: float

    def table(self) -> QTable:
        """One row per redshift, best first.

        Returns
        -------
        `~astropy.table.QTable`
            Columns role, kind, redshift, uncertainty, improvement, runner_up,
            runner_up_improvement, num_features, reliable and flags.
        """
        rows = []
        roles = [("lens", self.lens), ("source", self.source)]
        for role, found in [*roles, *(("other", other) for other in self.others)]:
            if found is None:
                continue
            seen = sum(f.significance >= 3 for f in found.features)
            rows.append({
                "role": role,
                "kind": found.kind,
                "redshift": found.redshift,
                "uncertainty": found.uncertainty,
                "improvement": found.improvement,
                "runner_up": found.runner_up,
                "runner_up_improvement": found.runner_up_improvement,
                "num_features": seen,
                "reliable": found.reliable,
                "flags": ",".join(found.flags),
            })  # fmt: skip
        meta = {"noise_scale": self.noise_scale}
        if self.given_z_lens is not None:
            meta["given_z_lens"] = self.given_z_lens
        return QTable(rows=rows, meta=meta) if rows else QTable(meta=meta)

    def apply_to(
        self, observation: LensObservation, *, allow_unreliable: bool = False
    ) -> LensObservation:
        """Copy an observation with the redshifts set.

        Parameters
        ----------
        observation : LensObservation
            The image of the lens; not changed.
        allow_unreliable : bool, optional
            Whether flagged redshifts are taken too.

        Returns
        -------
        LensObservation
            With ``z_lens`` and ``z_source``; one that was not found stays as it was.

        Raises
        ------
        SpectrumError
            If nothing was found, or what was found is flagged.
        ObservationError
            If the source does not lie behind the lens.
        """
        found = {"z_lens": self.lens, "z_source": self.source}
        present = {name: each for name, each in found.items() if each is not None}
        if not present:
            raise SpectrumError("the spectrum gave no redshift; set z_lens= and z_source=")
        for name, estimate in present.items():
            if estimate.flags and not allow_unreliable:
                raise SpectrumError(
                    f"{name} is not reliable: {estimate}; look at the spectrum, and pass "
                    f"allow_unreliable=True or set {name} on the observation yourself"
                )
        values = {name: estimate.redshift for name, estimate in present.items()}
        if self.given_z_lens is not None:
            values["z_lens"] = self.given_z_lens
        result = observation.copy()
        # both at once: one after the other could be in the wrong order for a moment
        result._set_redshifts(  # noqa: SLF001
            values.get("z_lens", observation.z_lens),
            values.get("z_source", observation.z_source),
        )
        return result
