from __future__ import annotations

import json
import math
import runpy
from pathlib import Path
from types import SimpleNamespace

import pytest

from astrorim.exceptions import UnknownNameError
from astrorim.interchange.parameter_files import read_parameters
from astrorim.results.files import parameters_document
from astrorim.results.parameter_table import reported_values

EXAMPLES = SimpleNamespace(**runpy.run_path(str(Path(__file__).with_name("lens_examples.py"))))
NINE = {
    "b": 1.2, "q": 0.7, "phi": 0.4, "x0": 0.01, "y0": -0.02, "gamma": 0.05, "gamma_phi": 2.9,
    "kappa_s": 0.1, "rs": 6.0,
}  # fmt: skip


@pytest.fixture
def write(tmp_path):
    def to_file(document):
        path = tmp_path / "lens_parameters.json"
        path.write_text(json.dumps(document), encoding="utf-8")
        return path

    return to_file


@pytest.mark.parametrize("lens_model", EXAMPLES.LENSES)
def test_file_of_a_result_is_read_back(lens_model, write):
    result = EXAMPLES.make_example(lens_model)
    found = read_parameters(write(parameters_document(result)))
    assert found.lens_model == lens_model
    assert found.lens == pytest.approx(result.lens, rel=1e-10, abs=1e-10)
    assert found.light == pytest.approx(result.light, rel=1e-10, abs=1e-10)


def test_nine_numbers_alone_are_read(write):
    found = read_parameters(write(NINE))
    assert found.lens_model == "sie+shear+nfw"
    assert found.light == {}
    back = {n: float(v) for n, v in reported_values(found.lens).items()}
    assert back == pytest.approx(NINE, rel=1e-10, abs=1e-10)


def test_einstein_radius_is_b_whatever_the_axis_ratio(write):
    assert read_parameters(write(NINE | {"q": 0.5})).lens["theta_E"] == 1.2


def test_lens_without_halo_has_no_halo(write):
    found = read_parameters(write(NINE | {"kappa_s": 0, "rs": 0}))
    assert found.lens_model == "sie+shear"
    assert "rs" not in found.lens


@pytest.mark.parametrize("name", NINE)
def test_missing_parameter_is_refused(name, write):
    with pytest.raises(ValueError, match=f"must hold the nine .*; missing: {name}$"):
        read_parameters(write({n: v for n, v in NINE.items() if n != name}))


@pytest.mark.parametrize("value", ["1.2", True, [1.2], {"value": 1.2}])
def test_value_of_another_type_is_refused(value, write):
    with pytest.raises(TypeError, match="b in .* must be a number, got"):
        read_parameters(write(NINE | {"b": value}))


@pytest.mark.parametrize("value", [math.nan, math.inf, None])
def test_value_that_is_not_finite_is_refused(value, write):
    with pytest.raises(ValueError, match="rs in .* must be finite, got (nan|inf|null)"):
        read_parameters(write(NINE | {"rs": value}))


@pytest.mark.parametrize("name, value", [("b", -1), ("q", 1.2), ("q", 0), ("kappa_s", -0.1)])
def test_value_outside_its_support_is_refused(name, value, write):
    with pytest.raises(ValueError, match=f"{name} in .* must (lie in|be positive)"):
        read_parameters(write(NINE | {name: value}))


def test_halo_without_size_is_refused(write):
    with pytest.raises(ValueError, match="rs in .* must be positive where kappa_s is"):
        read_parameters(write(NINE | {"rs": 0}))


def test_other_units_are_refused(write):
    with pytest.raises(ValueError, match="phi in .* must be in rad, got 'deg'"):
        read_parameters(write(NINE | {"units": {"phi": "deg"}}))


def test_number_changed_by_hand_is_noticed(write):
    document = parameters_document(EXAMPLES.make_example())
    with pytest.raises(ValueError, match=r"b in .* is 1\.3, but its lens gives 1\.1"):
        read_parameters(write(document | {"b": 1.3}))


def test_lens_in_part_is_refused(write):
    document = parameters_document(EXAMPLES.make_example())
    with pytest.raises(ValueError, match="only in part; missing: lens_model"):
        read_parameters(write(NINE | {"lens": document["lens"]}))
    with pytest.raises(ValueError, match="the parameters of 'sie', theta_E, .*; got theta_E"):
        read_parameters(write(NINE | {"lens": {"theta_E": 1}, "lens_model": "sie"}))
    with pytest.raises(TypeError, match="lens_model in .* must be a name, got 3"):
        read_parameters(write(NINE | {"lens": {}, "lens_model": 3}))
    with pytest.raises(TypeError, match="lens of .* must be a JSON object, got list"):
        read_parameters(write(NINE | {"lens": [], "lens_model": "sie"}))
    with pytest.raises(UnknownNameError, match="unknown lens model 'pie'"):
        read_parameters(write(NINE | {"lens": {}, "lens_model": "pie"}))


@pytest.mark.parametrize("text, message", [("{", "is not JSON"), ("[]", "object, got list")])
def test_file_that_is_no_json_object_is_refused(text, message, tmp_path):
    path = tmp_path / "lens.json"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ValueError, match=message):
        read_parameters(path)
