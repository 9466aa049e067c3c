"""Parameters that several models share are one declaration."""

from __future__ import annotations

import pytest

from astrorim.plugins import load_plugins
from astrorim_plugins import shared_parameters


@pytest.mark.parametrize("kind", ["lens_models", "light_models"])
def test_models_use_the_shared_declaration(kind):
    shared = {
        getattr(shared_parameters, name).name: getattr(shared_parameters, name)
        for name in shared_parameters.__all__
    }
    registry = getattr(load_plugins(), kind)
    for name in (entry.name for entry in registry if not entry.argument):
        for parameter in registry.create(name).parameters:
            assert parameter is shared.get(parameter.name, parameter)
