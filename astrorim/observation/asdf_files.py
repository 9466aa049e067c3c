"""Observations in ASDF files; what asdf needs to know, it finds through its entry points."""

from __future__ import annotations

from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from astrorim.exceptions import ObservationError
from astrorim.observation.lens_observation import LensObservation
from astrorim.observation.unified_io import replacing

if TYPE_CHECKING:
    import os
    from collections.abc import Iterator

__all__ = ["is_asdf", "read_asdf", "read_tree", "strict_reading", "write_asdf"]

_KEY = "observation"
_OF_THE_LIBRARY = ("asdf_library", "history")
_MAGIC = b"#ASDF"


def is_asdf(origin: str, path: str | None, fileobj: Any, *_args: Any, **_kwargs: Any) -> bool:
    """Whether a file is ASDF, for astropy's unified I/O.

    Parameters
    ----------
    origin : {"read", "write"}
        What is to be done.
    path : str or None
        The file.
    fileobj : file object or None
        The open file, when reading.
    *_args, **_kwargs
        Not used.

    Returns
    -------
    bool
    """
    if origin == "read" and fileobj is not None:
        position = fileobj.tell()
        start = fileobj.read(len(_MAGIC))
        fileobj.seek(position)
        return bool(start == _MAGIC)
    return str(path or "").lower().endswith(".asdf")


@contextmanager
def strict_reading() -> Iterator[None]:
    """Validate all that asdf reads, and raise where a part of it cannot be converted.

    Yields
    ------
    None
    """
    import asdf

    # Asking loads what each context would otherwise load for itself, a MiB that stays.
    shared = asdf.get_config()
    _ = shared.extensions, shared.resource_manager
    with asdf.config_context() as config:
        config.validate_on_read = True
        if hasattr(config, "warn_on_failed_conversion"):  # asdf >= 6
            config.warn_on_failed_conversion = False
        yield


def read_tree(path: str | os.PathLike[str]) -> dict[str, Any]:
    """Read all objects of an ASDF file into memory, validated against their schemas.

    Parameters
    ----------
    path : str or path-like
        The file.

    Returns
    -------
    dict
        Top-level keys and objects, without asdf's own.

    Raises
    ------
    ObservationError
        If the file is missing, damaged, or not ASDF.
    """
    import asdf

    path = Path(path).expanduser()
    if not path.is_file():
        raise ObservationError(f"there is no file {str(path)!r}; check the path")
    with strict_reading():
        try:
            with asdf.open(path, lazy_load=False, memmap=False) as file:
                tree = dict(file.tree)
        except Exception as error:  # yaml, schema and block errors have no common base
            raise ObservationError(
                f"{str(path)!r} is not an ASDF file that can be read ({error}); write it again"
            ) from error
    return {key: value for key, value in tree.items() if key not in _OF_THE_LIBRARY}


def read_asdf(path: str | os.PathLike[str]) -> LensObservation:
    """Read an observation, or that of a reconstruction, from an ASDF file.

    Parameters
    ----------
    path : str or path-like
        The file.

    Returns
    -------
    LensObservation

    Raises
    ------
    ObservationError
        If the file cannot be read or holds no observation.
    """
    tree = read_tree(path)
    for value in (tree.get(_KEY), *tree.values()):
        for candidate in (value, getattr(value, _KEY, None)):
            if isinstance(candidate, LensObservation):
                return candidate
    held = ", ".join(f"{key} ({type(value).__name__})" for key, value in tree.items())
    raise ObservationError(
        f"{str(path)!r} must hold an observation, got {held or 'nothing'}; write one with "
        "observation.write"
    )


def write_asdf(
    observation: LensObservation, path: str | os.PathLike[str], *, overwrite: bool = False
) -> None:
    """Write an observation to an ASDF file that appears complete or not at all.

    Parameters
    ----------
    observation : LensObservation
        What to write.
    path : str or path-like
        Where to.
    overwrite : bool, optional
        Whether an existing file may be replaced.

    Raises
    ------
    FileExistsError
        If the file exists and ``overwrite`` is False.
    """
    import asdf

    with replacing(path, overwrite=overwrite) as temporary:
        asdf.AsdfFile({_KEY: observation}).write_to(temporary)
