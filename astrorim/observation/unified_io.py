"""The doors of files: `LensObservation.read`, and writing that is never half done."""

from __future__ import annotations

import os
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from astropy.io import registry
from astropy.nddata.mixins.ndio import NDDataRead
from astropy.utils.data import get_readable_fileobj

from astrorim.exceptions import ObservationError
from astrorim.observation.temporary_rooms import temporary_room

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["ObservationRead", "replacing"]


@contextmanager
def replacing(path: str | os.PathLike[str], *, overwrite: bool) -> Iterator[Path]:
    """Write to a temporary file, which takes the place of another when it is complete.

    Parameters
    ----------
    path : str or path-like
        File to appear; its directory must exist.
    overwrite : bool
        Whether an existing file may be replaced.

    Yields
    ------
    `~pathlib.Path`
        Where to write, under the same name in a temporary directory beside it.

    Raises
    ------
    FileExistsError
        If the file exists and ``overwrite`` is False.
    """
    target = Path(path).expanduser()
    if target.exists() and not overwrite:
        raise FileExistsError(f"{str(target)!r} exists; pass overwrite=True to replace it")
    with temporary_room(target.parent) as room:
        temporary = room / target.name
        yield temporary
        temporary.replace(target)


class ObservationRead(NDDataRead):
    """Read an observation from FITS or ASDF.

    The format is recognised from the file. ``LensObservation.read.help("fits")`` lists
    the options; the most used are ``uncertainty``, ``psf``, ``mask``, ``pixel_scale``,
    ``unit``, ``z_lens``, ``z_source``, ``band`` and ``hdu``.

    Raises
    ------
    ObservationError
        If there is no such file, or its format is not one that can be read.

    Notes
    -----
    Astropy's registry keeps the table of formats.
    """

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Read a file.

        Parameters
        ----------
        *args
            The path, first.
        **kwargs
            Options of the reader, and ``format`` to skip its recognition.

        Returns
        -------
        LensObservation
        """
        if args and isinstance(args[0], str | os.PathLike):
            path = Path(args[0]).expanduser()
            if not path.is_file():
                what = "is a directory" if path.is_dir() else "does not exist"
                raise ObservationError(
                    f"the image file must be readable, but {str(path)!r} {what}; check the path"
                )
            args = (str(path), *args[1:])
            kwargs.setdefault("format", self._recognise(path))
        return super().__call__(*args, **kwargs)

    def _recognise(self, path: Path) -> str:
        """Format of a file, found without opening it twice."""
        try:
            with get_readable_fileobj(str(path), encoding="binary") as stream:
                formats = self.registry.identify_format(
                    "read", self._cls, str(path), stream, [str(path)], {}
                )
        except (OSError, EOFError) as error:
            raise ObservationError(
                f"{str(path)!r} cannot be opened ({error}); fetch it again"
            ) from error
        if len(formats) == 1:
            return formats[0]
        readable = registry.get_formats(self._cls, "Read")["Format"].tolist()
        raise ObservationError(
            f"{str(path)!r} must be a file in one of the formats {', '.join(readable)}, but "
            f"it looks like {' and '.join(formats) or 'none of them'}; convert it, or pass "
            "format="
        )
