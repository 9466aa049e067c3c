from __future__ import annotations

import re

import astropy.units as u
import numpy as np
import pytest
import torch

from astrorim.interchange.simulated_truth import (
    _METADATA,
    absent_parameters,
    applied_effects,
    dataset_of,
    metadata_unit,
    truth_header,
    truth_table,
)
from astrorim.lensing import LensSystem
from astrorim.observation.headers import KEYWORDS
from astrorim.plugins import load_plugins


@pytest.fixture
def system(rich):
    plugins = load_plugins()
    return LensSystem(
        plugins.lens_models.resolve(rich.lens_model),
        plugins.light_models.create(rich.light_model),
    )


def test_keywords_of_the_longest_sum_are_unique_and_short(system):
    keys = [parameter.fits_key for parameter in system.parameters]
    assert len(set(keys)) == len(keys) == 40
    assert all(re.fullmatch(r"[A-Z0-9]{1,8}", key) for key in keys)
    others = {key for key, _, _ in _METADATA.values()} | {
        key for key, _, _ in KEYWORDS.values()
    }
    others |= {"SIMNAME", "SIMSEED", "SIMINDEX", "LENSMOD", "LIGHTMOD", "EFFECTS", "BUNIT"}
    assert not set(keys) & others


def test_only_present_components_are_in_the_header(rich, system):
    cards = {p.name: p.fits_key for p in system.parameters}
    bare, full = truth_header(rich, 0), truth_header(rich, 1)
    labelled = {name for name in cards if name.endswith(("halo", "second"))}
    labelled |= {name for name in cards if "_sub" in name} | {"kappa_s", "rs"}
    assert not {cards[name] for name in labelled} & set(bare)
    fourth = {name for name in labelled if name.endswith("_sub4")}
    assert {cards[name] for name in labelled - fourth} <= set(full)
    assert not {cards[name] for name in fourth} & set(full)
    for name in ("theta_E", "x0", "gamma1", "light_amplitude"):
        assert cards[name] in bare
    for name in labelled - fourth:
        assert full[cards[name]] == pytest.approx(float(rich.lens[name][1]), rel=1e-6)
        assert full.comments[cards[name]].endswith(name)


def test_shared_parameters_stay_while_a_component_has_them(rich):
    assert absent_parameters(rich, 1) == {"theta_E_sub4", "x0_sub4", "y0_sub4"}
    assert {"kappa_s", "rs"} <= absent_parameters(rich, 0)
    assert not {"x0", "y0"} & absent_parameters(rich, 0)


def test_every_registered_model_without_strength_is_absent(simulated):
    """Zero of what a model's deflection is proportional to means that it is not there."""
    from dataclasses import replace

    models = load_plugins().lens_models
    for name in ("sie", "sis", "epl", "nfw", "shear", "mass-sheet"):
        model = models.create(name)
        values = {p.name: torch.full((1,), sum(p.prior) / 2) for p in model.parameters}
        strengths = {"theta_E", "kappa_s", "gamma1", "gamma2", "kappa_sheet"} & values.keys()
        assert strengths, name
        none = values | {strength: torch.zeros(1) for strength in strengths}
        some = values | {strength: torch.full((1,), 0.1) for strength in strengths}
        lens = replace(simulated, lens_model=name, lens=none)
        assert absent_parameters(lens, 0) == set(values)
        assert absent_parameters(replace(lens, lens=some), 0) == set()


def test_header_is_without_cards_that_had_to_be_cut(rich):
    for i in range(len(rich)):
        assert len(truth_header(rich, i).tostring()) % 80 == 0


def test_table_has_every_parameter_with_its_unit(rich, system):
    names = {"source": ["a", "b", "c"]}
    table = truth_table(rich, [0, 1, 2], names)
    assert list(table["index"]) == [4, 5, 6]
    assert list(table["source"]) == ["a", "b", "c"]
    assert table.meta == dataset_of(rich)
    assert table.meta["simulator"] == "foundation"
    for parameter in system.parameters:
        assert parameter.name in table.colnames
    for name, values in rich.lens.items():
        np.testing.assert_array_equal(table[name].value, values)
    for name, unit in (
        ("theta_E_sub3", u.arcsec), ("light_amplitude", u.adu / u.arcsec**2),
        ("exposure", u.s), ("source_1_half_light_radius", u.arcsec), ("sky", u.adu / u.s),
        ("clump_0_amplitude", u.adu / u.arcsec**2), ("source_magnitude", u.mag),
        ("pixel_scale", u.arcsec / u.pix),
    ):  # fmt: skip
        assert table[name].unit == unit


def test_effects_are_columns_of_zero_and_one(rich):
    table = truth_table(rich, [0, 1], {})
    assert list(table["effect_cosmic_rays"]) == [0, 1]
    assert list(table["effect_vignetting"]) == [0, 0]
    assert table["effect_cosmic_rays"].dtype == np.uint8
    assert applied_effects(rich, 1) == ["psf-mismatch", "cosmic-rays"]


def test_what_a_simulator_declares_has_the_unit_that_it_declares():
    assert metadata_unit("velocity_dispersion") is None
    assert metadata_unit("velocity_dispersion", "expanded") == u.km / u.s
    assert metadata_unit("z_lens", "expanded") is None
    assert metadata_unit("anything", "not-registered") is None
