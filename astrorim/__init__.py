"""AstroRIM: reconstruction of strong gravitational lenses with recurrent inference.

The names below are loaded when they are first used, so that ``import astrorim`` is quick
and loads neither torch nor matplotlib.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from astrorim.observation import LensObservation
    from astrorim.plugins import load_plugins
    from astrorim.results import MassProfile, Reconstruction
    from astrorim.rim import RIMReconstructor

    __version__: str

__all__ = [
    "LensObservation",
    "MassProfile",
    "RIMReconstructor",
    "Reconstruction",
    "__version__",
    "load_plugins",
]

_HOME = {
    "LensObservation": "astrorim.observation",
    "MassProfile": "astrorim.results",
    "RIMReconstructor": "astrorim.rim",
    "Reconstruction": "astrorim.results",
    "load_plugins": "astrorim.plugins",
}


def __getattr__(name: str) -> Any:
    if name == "__version__":
        from importlib.metadata import version

        value: Any = version("astrorim")
    elif name in _HOME:
        value = getattr(importlib.import_module(_HOME[name]), name)
    else:
        raise AttributeError(
            f"module 'astrorim' has no attribute {name!r}; "
            f"its public names are {', '.join(__all__)}"
        )
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
