"""Messages and progress, on standard error."""

from __future__ import annotations

import logging
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tqdm import tqdm

__all__ = ["LOGGER", "messages_on_stderr", "progress_bar"]

LOGGER = logging.getLogger("astrorim")
"""Where the command line's messages go."""

_LEVELS = {-1: logging.ERROR, 0: logging.INFO, 1: logging.DEBUG}


class _Handler(logging.StreamHandler):  # type: ignore[type-arg]
    """Writes messages above a progress bar instead of through it."""

    def emit(self, record: logging.LogRecord) -> None:
        tqdm_module = sys.modules.get("tqdm")
        if tqdm_module is None:
            super().emit(record)
            return
        tqdm_module.tqdm.write(self.format(record), file=self.stream)


class _Formatter(logging.Formatter):
    """``astrorim: warning: text``; plain information without its level."""

    def format(self, record: logging.LogRecord) -> str:
        level = "" if record.levelno == logging.INFO else f"{record.levelname.lower()}: "
        return f"astrorim: {level}{super().format(record)}"


@contextmanager
def messages_on_stderr(verbosity: int = 0) -> Iterator[None]:
    """Send AstroRIM's messages and warnings to standard error, within the block.

    Parameters
    ----------
    verbosity : int, optional
        -1 for errors only, 0, or 1 for everything.

    Yields
    ------
    None
    """
    handler = _Handler(sys.stderr)
    handler.setFormatter(_Formatter("%(message)s"))
    before = LOGGER.level, LOGGER.propagate
    LOGGER.addHandler(handler)
    LOGGER.setLevel(_LEVELS[verbosity])
    try:
        with warnings.catch_warnings():
            warnings.showwarning = _log_warning  # type: ignore[assignment]
            yield
    finally:
        LOGGER.removeHandler(handler)
        LOGGER.setLevel(before[0])


def _log_warning(message: Warning | str, category: type[Warning], *_: Any) -> None:
    from astrorim.exceptions import AstroRIMWarning

    level = logging.WARNING if issubclass(category, AstroRIMWarning) else logging.DEBUG
    LOGGER.log(level, "%s", message)


def progress_bar(total: int, unit: str, *, initial: int = 0) -> tqdm:  # type: ignore[type-arg]
    """Bar on standard error; none where that is not a terminal or messages are off.

    Parameters
    ----------
    total : int
        Number of steps.
    unit : str
        What a step is, for example ``"lens"``.
    initial : int, optional
        Steps that were done before.

    Returns
    -------
    tqdm.tqdm
        A context manager; call its ``update``.
    """
    from tqdm import tqdm

    quiet = not LOGGER.isEnabledFor(logging.INFO)
    return tqdm(
        total=total,
        initial=initial,
        unit=f" {unit}",
        file=sys.stderr,
        disable=True if quiet else not sys.stderr.isatty(),
        dynamic_ncols=True,
    )
