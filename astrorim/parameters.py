"""Declaration of model parameters: each fact about a parameter is stated here, once.

Tables, bounds, FITS keywords, ASDF columns, network supports and documentation are
derived from these declarations.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import overload

import astropy.units as u

__all__ = ["Parameter", "ParameterSet"]

_KEYWORD = 8
"""Characters of a FITS keyword."""


@dataclass(frozen=True)
class Parameter:
    """One parameter of a lens, light or PSF model.

    Parameters
    ----------
    name : str
        The field's own term, a Python identifier, for example ``theta_E``.
    symbol : str
        LaTeX without the dollar signs, for figures and documentation.
    unit : `~astropy.units.UnitBase`
        The unit of the plain numbers that tensors hold.
    support : tuple of float
        Closed interval outside which the model is not defined, in ``unit``.
    prior : tuple of float
        Interval that holds the values met in practice, in ``unit``; the range of a
        uniform prior where nothing better is known. Must lie inside ``support``.
    description : str
        One line for tables and documentation.
    fits_key : str, optional
        FITS keyword, at most eight characters; the beginning of the name when empty.
    period : float, optional
        Period of an angle, in ``unit``; None for what does not wrap.
    linear : bool, optional
        Whether the model is proportional to this parameter.

    Raises
    ------
    ValueError
        If an interval is empty or reversed, the prior leaves the support, or the FITS
        keyword is too long.
    """

    name: str
    symbol: str
    unit: u.UnitBase
    support: tuple[float, float]
    prior: tuple[float, float]
    description: str
    fits_key: str = ""
    period: float | None = None
    linear: bool = False

    def __post_init__(self) -> None:
        if not self.name.isidentifier():
            raise ValueError(f"Parameter name must be an identifier, got {self.name!r}")
        for label, (low, high) in (("support", self.support), ("prior", self.prior)):
            if not low < high:
                raise ValueError(
                    f"{label} of {self.name!r} must be (low, high) with low < high, "
                    f"got {(low, high)}"
                )
        if self.prior[0] < self.support[0] or self.prior[1] > self.support[1]:
            raise ValueError(
                f"prior of {self.name!r} must lie inside its support {self.support}, "
                f"got {self.prior}"
            )
        key = self.fits_key or self.name.upper().replace("_", "")[:_KEYWORD]
        if len(key) > _KEYWORD:
            raise ValueError(f"FITS keyword must have at most 8 characters, got {key!r}")
        object.__setattr__(self, "fits_key", key)

    def renamed(self, name: str) -> Parameter:
        """Return this parameter under another name, its FITS keyword derived anew.

        A label at the end of the name stays whole at the end of the keyword, so that equal
        parameters of several components differ: ``theta_E_sub1`` is ``THETSUB1``.

        Parameters
        ----------
        name : str
            The new name; a label is what follows this parameter's name and an underscore.

        Returns
        -------
        Parameter
        """
        _, own, label = name.rpartition(f"{self.name}_")
        key = _labelled_keyword(self.name, label) if own and label else ""
        return replace(self, name=name, fits_key=key)

    def prior_interval(self, level: float = 0.68) -> tuple[float, float]:
        """Central interval of the uniform prior that holds the fraction ``level``.

        Parameters
        ----------
        level : float, optional
            Fraction between 0 and 1.

        Returns
        -------
        tuple of float
            Lower and upper bound, in the parameter's unit.

        Raises
        ------
        ValueError
            If ``level`` is not between 0 and 1.
        """
        if not 0 < level < 1:
            raise ValueError(f"level must lie between 0 and 1, got {level}")
        low, high = self.prior
        tail = 0.5 * (1 - level) * (high - low)
        return low + tail, high - tail

    def contains(self, value: float) -> bool:
        """Whether ``value``, in the parameter's unit, lies inside the support."""
        return math.isfinite(value) and self.support[0] <= value <= self.support[1]


def _labelled_keyword(name: str, label: str) -> str:
    """FITS keyword of a labelled parameter; digits at the end of its name are kept."""
    label = label.upper().replace("_", "")[: _KEYWORD - 2]
    stem = name.upper().replace("_", "")
    digits = stem[len(stem.rstrip("0123456789")) :][-1:]
    room = _KEYWORD - len(label)
    if len(stem) > room:
        stem = stem[: room - len(digits)] + digits
    return stem + label


def _unique_keywords(parameters: Sequence[Parameter]) -> tuple[Parameter, ...]:
    """Number FITS keywords that are taken already, in the order of the parameters."""
    taken: set[str] = set()
    unique = []
    for parameter in parameters:
        key, number = parameter.fits_key, 1
        while key in taken:
            number += 1
            key = parameter.fits_key[: _KEYWORD - len(str(number))] + str(number)
        taken.add(key)
        unique.append(parameter if number == 1 else replace(parameter, fits_key=key))
    return tuple(unique)


@dataclass(frozen=True)
class ParameterSet(Sequence[Parameter]):
    """An ordered set of parameters with unique names and unique FITS keywords.

    Parameters
    ----------
    members : tuple of `Parameter`
        The parameters, in the order of the last axis of parameter tensors. A FITS keyword
        that an earlier one has is numbered.

    Raises
    ------
    ValueError
        If a name occurs twice.
    """

    members: tuple[Parameter, ...]
    _index: dict[str, int] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "members", _unique_keywords(tuple(self.members)))
        index = {parameter.name: i for i, parameter in enumerate(self.members)}
        if len(index) != len(self.members):
            names = [parameter.name for parameter in self.members]
            twice = sorted({name for name in names if names.count(name) > 1})
            raise ValueError(f"parameter names must be unique, got twice: {', '.join(twice)}")
        object.__setattr__(self, "_index", index)

    @property
    def names(self) -> tuple[str, ...]:
        """The names, in order."""
        return tuple(parameter.name for parameter in self.members)

    def index_of(self, name: str) -> int:
        """Position of the parameter called ``name``.

        Raises
        ------
        KeyError
            If there is none; the message lists the names that exist.
        """
        if name not in self._index:
            raise KeyError(f"no parameter {name!r}; available: {', '.join(self.names)}")
        return self._index[name]

    def by_name(self, name: str) -> Parameter:
        """The parameter called ``name``."""
        return self.members[self.index_of(name)]

    def __contains__(self, item: object) -> bool:
        return item in self._index or item in self.members

    def __len__(self) -> int:
        return len(self.members)

    @overload
    def __getitem__(self, item: int) -> Parameter: ...

    @overload
    def __getitem__(self, item: slice) -> tuple[Parameter, ...]: ...

    def __getitem__(self, item: int | slice) -> Parameter | tuple[Parameter, ...]:
        return self.members[item]

    def __iter__(self) -> Iterator[Parameter]:
        return iter(self.members)
