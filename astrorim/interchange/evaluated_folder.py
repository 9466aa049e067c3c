"""Reconstructions in a folder, judged by the truths that ``astrorim simulate`` wrote."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from astrorim.exceptions import AstroRIMError
from astrorim.inference.evaluation import evaluate_lens
from astrorim.inference.oracle import OracleOptions
from astrorim.interchange.truth_files import read_truth
from astrorim.results import Reconstruction
from astrorim.results.evaluation_table import rows_table

if TYPE_CHECKING:
    from astropy.table import Table

    from astrorim.inference.rows_checkpoint import RowsCheckpoint
    from astrorim.results.lens_truth import LensTruth

__all__ = ["RECONSTRUCTION", "evaluate_folder", "matching_truth"]

RECONSTRUCTION = "reconstruction"
"""Name of the rows of what is judged."""

_ORACLE_OPTIONS = OracleOptions()
_OBSERVED, _TRUE = "lensed_", "source_"


def matching_truth(reconstruction: Path, truths: Path) -> Path:
    """Find the truth of a reconstruction by its name.

    Parameters
    ----------
    reconstruction : Path
        For example ``lensed_00003.asdf`` or ``lens_00003.asdf``.
    truths : Path
        Directory that ``astrorim simulate`` wrote.

    Returns
    -------
    Path
        ``source_00003.fits`` or ``lens_00003.asdf``.

    Raises
    ------
    AstroRIMError
        If there is none.
    """
    stem = reconstruction.stem
    names = [f"{stem}.asdf"]
    if stem.startswith(_OBSERVED):
        names.insert(0, f"{_TRUE}{stem.removeprefix(_OBSERVED)}.fits")
    for name in names:
        path = truths / name
        if path.is_file() and path.resolve() != reconstruction.resolve():
            return path
    raise AstroRIMError(
        f"{reconstruction.name} has no truth in {truths}: there is no "
        f"{' and no '.join(names)}; results are matched by the names that `astrorim simulate` "
        "gives"
    )


@dataclass(frozen=True)
class _Given:
    """A method whose result is there already."""

    result: Reconstruction

    def __call__(
        self, truth: LensTruth, earlier: Mapping[str, Reconstruction]
    ) -> Reconstruction:
        del truth, earlier
        return self.result


def evaluate_folder(
    reconstructions: Path,
    truths: Path,
    *,
    oracle: OracleOptions | None = _ORACLE_OPTIONS,
    number: int | None = None,
    checkpoint: RowsCheckpoint | None = None,
    progress: Callable[[int], object] | None = None,
) -> tuple[Table, dict[str, str]]:
    """Measure results against truths, matched by name.

    Parameters
    ----------
    reconstructions : Path
        Directory with the ``.asdf`` files that ``astrorim reconstruct`` wrote.
    truths : Path
        Directory that ``astrorim simulate`` wrote, pairs or ASDF.
    oracle : OracleOptions, optional
        What the oracle inversion chooses from; None leaves it out, and what is measured
        against it.
    number : int, optional
        The first so many only.
    checkpoint : RowsCheckpoint, optional
        Where the rows of finished files are kept; those it holds are not done again.
    progress : callable, optional
        Called with the number of finished files.

    Returns
    -------
    table : `~astropy.table.Table`
        A row for each lens and method; see `~astrorim.inference.evaluation.evaluate_lens`.
    refused : dict of str to str
        Files that could not be judged, and why.

    Raises
    ------
    AstroRIMError
        If there is no reconstruction, or none could be judged.
    """
    files = sorted(reconstructions.glob("*.asdf"))[:number]
    if not files:
        raise AstroRIMError(
            f"{reconstructions} holds no .asdf files; give the directory that "
            "`astrorim reconstruct` wrote"
        )
    rows: list[dict[str, Any]] = []
    refused: dict[str, str] = {}
    held = {} if checkpoint is None else checkpoint.rows
    for done, file in enumerate(files, start=1):
        own = held.get(file.name)
        if own is None:
            try:
                own = _evaluate_file(file, truths, oracle=oracle)
            except Exception as error:  # noqa: BLE001  (one bad file costs that file)
                refused[file.name] = f"{type(error).__name__}: {' '.join(str(error).split())}"
            else:
                if checkpoint is not None:
                    checkpoint.add(file.name, own)
        rows += own or []
        if progress is not None:
            progress(done)
    if not rows:
        name, reason = next(iter(refused.items()))
        raise AstroRIMError(f"none of {len(files)} files could be judged; {name}: {reason}")
    judged = len(files) - len(refused)
    meta = {"simulator": truths.name, "number": judged, "refused": refused}
    return rows_table(rows, meta), refused


def _evaluate_file(
    file: Path, truths: Path, *, oracle: OracleOptions | None
) -> list[dict[str, Any]]:
    path = matching_truth(file, truths)
    result = Reconstruction.read(file)
    truth = read_truth(path, result.observation)
    rows = evaluate_lens(truth, {RECONSTRUCTION: _Given(result)}, oracle=oracle)
    for row in rows:
        if row["method"] == RECONSTRUCTION:
            row.pop("seconds", None)
    return rows
