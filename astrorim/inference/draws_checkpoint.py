"""Posterior samples of simulated lenses, kept lens by lens, so that a run can go on."""

from __future__ import annotations

import io
import json
import os
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from astrorim.exceptions import CheckpointError

__all__ = ["DrawsCheckpoint", "LensDraws"]

_SETTINGS = "settings.json"
_FORMAT_VERSION = 2


@dataclass(frozen=True, eq=False)
class LensDraws:
    """Truth of one simulated lens, and what was inferred.

    Parameters
    ----------
    truth : mapping of str to float
        True parameters, in their declared units; light names prefixed ``light_``.
    samples : mapping of str to ndarray, (S,), optional
        Posterior samples in the same units; empty where inference failed.
    effective_size : mapping of str to float, optional
        Number of independent samples that each parameter's samples are worth; S where it
        is left out.
    statistics : mapping of str to float, optional
        Other numbers of the inference, for example ``reduced_chi2``.
    reason : str, optional
        Why there are no samples; empty where there are.
    """

    truth: Mapping[str, float]
    samples: Mapping[str, np.ndarray] = field(default_factory=dict)
    effective_size: Mapping[str, float] = field(default_factory=dict)
    statistics: Mapping[str, float] = field(default_factory=dict)
    reason: str = ""


class DrawsCheckpoint:
    """A directory with one file for each lens, written whole or not at all.

    Parameters
    ----------
    directory : Path
        Made if it does not exist.
    settings : mapping of str to object
        What the samples depend on, plain JSON types; written when the directory is new.

    Raises
    ------
    CheckpointError
        If the directory was begun with other settings; the message says which.
    """

    def __init__(self, directory: Path, settings: Mapping[str, Any]) -> None:
        self.directory = directory
        wanted = json.loads(json.dumps({"format_version": _FORMAT_VERSION, **settings}))
        path = directory / _SETTINGS
        if path.exists():
            self._check(path, wanted)
            return
        if directory.is_dir() and any(directory.glob("lens_*.npz")):
            raise CheckpointError(
                f"{directory} holds samples without {_SETTINGS}, which says what they are; "
                "choose another directory"
            )
        directory.mkdir(parents=True, exist_ok=True)
        _write_whole(path, json.dumps(wanted, indent=2).encode())

    def _check(self, path: Path, wanted: Mapping[str, Any]) -> None:
        try:
            found = json.loads(path.read_text(encoding="utf-8"))
        except ValueError as error:
            raise CheckpointError(f"{path} cannot be read: {error}") from error
        if found == wanted:
            return
        differing = [
            f"{key} {found.get(key)!r} instead of {wanted.get(key)!r}"
            for key in dict.fromkeys([*found, *wanted])
            if found.get(key) != wanted.get(key)
        ]
        raise CheckpointError(
            f"{self.directory} was begun with other settings ({'; '.join(differing)}); choose "
            "another directory, or remove it"
        )

    def path(self, index: int) -> Path:
        """File of a lens.

        Parameters
        ----------
        index : int
            Number of the lens in its dataset.

        Returns
        -------
        Path
        """
        return self.directory / f"lens_{index:09d}.npz"

    def write(self, index: int, draws: LensDraws) -> None:
        """Keep one lens.

        Parameters
        ----------
        index : int
            Number of the lens in its dataset.
        draws : LensDraws
            What was inferred.
        """
        names = list(draws.samples)
        sizes = [float(draws.effective_size.get(name, np.nan)) for name in names]
        buffer = io.BytesIO()
        np.savez(
            buffer,
            truth_names=np.array(list(draws.truth), dtype=np.str_),
            truth=np.array(list(draws.truth.values()), dtype=float),
            names=np.array(names, dtype=np.str_),
            samples=np.array([draws.samples[name] for name in names], dtype=float),
            effective_size=np.array(sizes, dtype=float),
            statistics_names=np.array(list(draws.statistics), dtype=np.str_),
            statistics=np.array(list(draws.statistics.values()), dtype=float),
            reason=np.array(draws.reason),
        )
        _write_whole(self.path(index), buffer.getvalue())

    def read(self, index: int) -> LensDraws | None:
        """What was kept of a lens.

        Parameters
        ----------
        index : int
            Number of the lens in its dataset.

        Returns
        -------
        LensDraws or None
            None where the lens was not reached.

        Raises
        ------
        CheckpointError
            If its file is damaged.
        """
        path = self.path(index)
        if not path.exists():
            return None
        try:
            with np.load(io.BytesIO(path.read_bytes()), allow_pickle=False) as held:
                names = held["names"].tolist()
                sizes = zip(names, held["effective_size"].tolist(), strict=True)
                truth = zip(held["truth_names"].tolist(), held["truth"].tolist(), strict=True)
                others = held["statistics_names"].tolist(), held["statistics"].tolist()
                return LensDraws(
                    truth=dict(truth),
                    samples=dict(zip(names, held["samples"], strict=True)),
                    effective_size={name: size for name, size in sizes if np.isfinite(size)},
                    statistics=dict(zip(*others, strict=True)),
                    reason=str(held["reason"]),
                )
        except (ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
            raise CheckpointError(
                f"{path} is damaged ({error}); remove it, and the lens is done again"
            ) from error


def _write_whole(path: Path, content: bytes) -> None:
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        temporary.write_bytes(content)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
