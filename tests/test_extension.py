"""The asdf extension: discovery, and that tags, schemas and converters agree."""

from __future__ import annotations

import subprocess
import sys

import asdf
import pytest
import yaml

from astrorim.converters import CONVERTERS
from astrorim.extension import MANIFEST_URIS, get_extensions, get_resource_mappings


def resources():
    return {
        uri: content for mapping in get_resource_mappings() for uri, content in mapping.items()
    }


def test_asdf_finds_us_through_entry_points():
    uris = {extension.extension_uri for extension in asdf.get_config().extensions}
    assert "asdf://astrorim.org/extensions/astrorim-1.0.0" in uris
    assert set(resources()) <= set(asdf.get_config().resource_manager)


@pytest.mark.parametrize("uri", sorted(resources()))
def test_resource_carries_its_own_uri(uri):
    assert yaml.safe_load(resources()[uri])["id"] == uri


def test_each_tag_has_a_schema_and_one_converter():
    for manifest_uri, extension in zip(MANIFEST_URIS, get_extensions(), strict=True):
        manifest = yaml.safe_load(resources()[manifest_uri])
        tags = {tag["tag_uri"]: tag["schema_uri"] for tag in manifest["tags"]}
        assert set(tags.values()) <= set(resources())
        for tag in tags:
            owners = [c for c in extension.converters if asdf.util.uri_match(c.tags[0], tag)]
            assert len(owners) == 1, tag
        assert len(CONVERTERS) == len(tags)


@pytest.mark.parametrize("uri", sorted(u for u in resources() if "/schemas/" in u))
def test_schemas_forbid_unknown_keys(uri):
    schema = yaml.safe_load(resources()[uri])
    assert schema["additionalProperties"] is False
    assert schema["required"]
    asdf.schema.check_schema(asdf.schema.load_schema(uri, resolve_references=True))


def test_types_are_named_as_strings_that_exist():
    import importlib

    for converter in CONVERTERS:
        for name in converter.types:
            module, _, attribute = name.rpartition(".")
            found = getattr(importlib.import_module(module), attribute)
            assert f"{found.__module__}.{found.__qualname__}" == name


@pytest.mark.parametrize(
    "code, heavy",
    [
        ("import astrorim.converters, astrorim.extension", "torch matplotlib scipy astropy"),
        # asdf imports the extensions of other packages here, and they import what they like
        (
            "from astrorim.extension import *; get_extensions(); get_resource_mappings()",
            "torch lenstronomy astrorim.results astrorim.observation",
        ),
    ],
)
def test_opening_any_file_loads_nothing_heavy(code, heavy):
    """asdf calls our entry points for every file, also those that hold nothing of ours."""
    code += f"; import sys; sys.exit(' '.join(set({heavy.split()}) & set(sys.modules)) or 0)"
    done = subprocess.run(
        [sys.executable, "-c", code], check=False, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
