"""Reconstructions through a real file: every field compared after closing."""

from __future__ import annotations

from dataclasses import fields

import asdf
import numpy as np
import pytest
from asdf.exceptions import ValidationError

from astrorim.results import Reconstruction


@pytest.mark.parametrize("with_wcs", [True, False])
def test_reconstruction_every_field(
    assert_same_observation, tmp_path, make_reconstruction, with_wcs
):
    result = make_reconstruction(with_wcs=with_wcs)
    back = Reconstruction.read(result.write(tmp_path / "r.asdf"))
    compared = set()
    for item in fields(Reconstruction):
        mine, theirs = getattr(result, item.name), getattr(back, item.name)
        if item.name == "observation":
            assert_same_observation(mine, theirs)
        elif isinstance(mine, np.ndarray):
            assert type(theirs) is np.ndarray
            np.testing.assert_array_equal(mine, theirs)
        elif item.name in {"samples", "steps"}:
            assert list(mine) == list(theirs)
            for name, array in mine.items():
                assert type(theirs[name]) is np.ndarray
                np.testing.assert_array_equal(array, theirs[name])
        elif item.name == "provenance":
            # tuples come back as lists
            assert theirs["options"] == {"num_iterations": 10, "shape": [96, 96]}
            assert theirs["seed"] == 7
        else:
            assert mine == theirs, item.name
        compared.add(item.name)
    assert len(compared) == len(fields(Reconstruction))
    for name in result.parameters.colnames[1:]:
        np.testing.assert_array_equal(result.parameters[name], back.parameters[name])


def test_table_is_there_for_readers_without_astrorim(tmp_path, reconstruction):
    path = reconstruction.write(tmp_path / "r.asdf")
    with asdf.open(path, ignore_unrecognized_tag=True, _force_raw_types=True) as file:
        raw = file.tree["reconstruction"]["parameters"]
    assert raw["colnames"][:3] == ["row", "b", "q"]


def test_unknown_keys_are_refused(tmp_path, monkeypatch, reconstruction):
    """A tree with a key that its schema does not know cannot be written."""
    from astrorim.converters import ReconstructionConverter

    original = ReconstructionConverter.to_yaml_tree

    def with_extra(self, obj, tag, ctx):
        return original(self, obj, tag, ctx) | {"surprise": 1}

    monkeypatch.setattr(ReconstructionConverter, "to_yaml_tree", with_extra)
    with pytest.raises(ValidationError, match="surprise"):
        reconstruction.write(tmp_path / "r.asdf")
    assert list(tmp_path.iterdir()) == []
