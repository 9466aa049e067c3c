"""What results were made of: checksums that tell whether a lens is finished."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path

from astrorim.exceptions import ObservationError

__all__ = ["check_request", "file_checksum", "request_checksum", "request_of"]


def file_checksum(path: Path) -> str:
    """SHA-256 of a file, read in blocks.

    Parameters
    ----------
    path : Path
        The file.

    Returns
    -------
    str
        64 hexadecimal digits.
    """
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def request_of(**given: object) -> dict[str, str]:
    """What results depend on: files by their checksums, options by their values.

    Parameters
    ----------
    **given : object
        Options by name, None where they were not given.

    Returns
    -------
    dict of str to str
        Sorted by name, so that requests can be compared.
    """
    request = {}
    for name, value in sorted(given.items()):
        if value is None:
            continue
        path = Path(value) if isinstance(value, (str, Path)) and value else None
        try:
            is_file = path is not None and path.is_file()
        except OSError:  # a text that is no path
            is_file = False
        if is_file and path is not None:
            request[name] = f"sha256 {file_checksum(path)}"
        else:
            request[name] = str(value)
    return request


def request_checksum(request: Mapping[str, str]) -> str:
    """Checksum of a request, short enough for a FITS card.

    Parameters
    ----------
    request : mapping of str to str
        From `request_of`.

    Returns
    -------
    str
        16 hexadecimal digits.
    """
    return hashlib.sha256(repr(sorted(request.items())).encode()).hexdigest()[:16]


def check_request(name: str, found: object, request: Mapping[str, str]) -> None:
    """Refuse to take what was made of something else for what is asked for.

    Parameters
    ----------
    name : str
        Of the lens.
    found : object
        The request that its files hold, or its checksum; None where they have none.
    request : mapping of str to str
        What is asked for.

    Raises
    ------
    ObservationError
        If they differ; the message says in what.
    """
    if found in (request, request_checksum(request)):
        return
    differs = "other files or options"
    if isinstance(found, Mapping):
        names = [k for k in sorted({*found, *request}) if found.get(k) != request.get(k)]
        differs = f"another {', '.join(names)}"
    raise ObservationError(
        f"the output directory holds results of {differs} under the name {name!r}; choose "
        "another --output-dir, rename the image, or pass --overwrite"
    )
