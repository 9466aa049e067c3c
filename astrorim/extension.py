"""What asdf finds through its entry points: our schemas, and what reads and writes tags.

asdf calls both functions whenever it opens a file, so that nothing heavy may be imported
here; the converters name their classes as strings and import them when they are met.
"""

from __future__ import annotations

from importlib.resources import files
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from asdf.extension import Extension

__all__ = ["MANIFEST_URIS", "get_extensions", "get_resource_mappings"]

MANIFEST_URIS = ("asdf://astrorim.org/manifests/astrorim-1.0.0",)
"""Every manifest ever released, newest first; a released schema is never edited."""


def get_resource_mappings() -> list[Mapping[str, bytes]]:
    """Schemas and manifests of AstroRIM, by URI.

    Returns
    -------
    list of mapping of str to bytes
    """
    from asdf.resource import DirectoryResourceMapping

    resources = files("astrorim") / "resources"
    return [
        DirectoryResourceMapping(resources / folder, f"asdf://astrorim.org/{folder}/")
        for folder in ("schemas", "manifests")
    ]


def get_extensions() -> list[Extension]:
    """One extension for each manifest, with all converters.

    Returns
    -------
    list of `asdf.extension.Extension`
    """
    from asdf.extension import ManifestExtension

    from astrorim.converters import CONVERTERS

    return [
        ManifestExtension.from_uri(uri, converters=[converter() for converter in CONVERTERS])
        for uri in MANIFEST_URIS
    ]
