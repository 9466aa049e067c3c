"""Quantities become numbers and tensors in declared units, and units are understood."""

from __future__ import annotations

import subprocess
import sys

import astropy.units as u
import numpy as np
import pytest
import torch

from astrorim.exceptions import ObservationError
from astrorim.quantities import (
    from_tensor,
    parse_pixel_scale,
    parse_quantity,
    parse_unit,
    to_native,
    to_tensor,
    to_value,
)

ELECTRON_RATE = u.electron / u.s
SPELLINGS = {
    "electron/s": ELECTRON_RATE,
    "ELECTRONS/S": ELECTRON_RATE,
    "electrons/s": ELECTRON_RATE,
    "ELECTRON/S": ELECTRON_RATE,
    "e-/s": ELECTRON_RATE,
    "e- s-1": ELECTRON_RATE,
    "Electrons": u.electron,
    "DN": u.DN,
    "DN/s": u.DN / u.s,
    "ADU": u.adu,
    "ADU/s": u.adu / u.s,
    "counts": u.ct,
    "counts/sec": u.ct / u.s,
    "CPS": u.ct / u.s,
    "MJy/sr": u.MJy / u.sr,
    "mJy": u.mJy,
    "nJy": u.nJy,
    "JY/BEAM": u.Jy / u.beam,
    "nanomaggy": u.nmgy,
    "nanomaggies": u.nmgy,
    "UNITLESS": u.dimensionless_unscaled,
    "erg/s/cm2/Ang": u.erg / u.s / u.cm**2 / u.AA,
    "erg/cm**2/s/A": u.erg / u.s / u.cm**2 / u.AA,
    "10**(-20)*erg/s/cm**2/Angstrom": 1e-20 * u.erg / u.s / u.cm**2 / u.AA,
    "1e-20 erg / (Angstrom s cm2)": 1e-20 * u.erg / u.s / u.cm**2 / u.AA,
}


@pytest.mark.parametrize(("text", "unit"), SPELLINGS.items())
def test_units_are_read_as_headers_spell_them(text, unit):
    np.testing.assert_allclose(parse_unit(text).to(unit), 1, rtol=1e-14)


def test_units_pass_through():
    assert parse_unit(u.nJy) is u.nJy
    assert parse_unit(u.dimensionless_unscaled) == u.dimensionless_unscaled


@pytest.mark.parametrize("text", [None, "", "   "])
def test_missing_unit_says_what_to_pass(text):
    with pytest.raises(ObservationError, match="is missing .*; pass unit=, for example"):
        parse_unit(text)


def test_unknown_unit_is_quoted():
    with pytest.raises(ObservationError, match="BUNIT='bananas' is not a unit"):
        parse_unit("bananas")


@pytest.mark.parametrize("unit", ["mag", "mag(AB)", "mag/arcsec**2", "dex", u.ABmag, u.dB])
def test_logarithmic_units_are_refused(unit):
    with pytest.raises(ObservationError, match="convert the image to a linear flux first"):
        parse_unit(unit)


@pytest.mark.parametrize(
    "value", ["0.05 arcsec", "0.05 arcsec/pix", "50 mas", 0.05 * u.arcsec, 50 * u.mas / u.pix]
)
def test_pixel_scales(value):
    scale = parse_pixel_scale(value)
    assert scale.unit == u.arcsec / u.pix
    np.testing.assert_allclose(scale.value, 0.05, rtol=1e-14)


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (0.05, r"must carry a unit, got 0\.05"),
        ("0.05", "must be an angle with its unit, got '0.05'"),
        ("wide", "must be an angle with its unit, got 'wide'"),
        ("0.05 Jy", "must be an angle with its unit"),
        ("0 arcsec", "must be one positive, finite angle"),
        ("nan arcsec", "must be one positive, finite angle"),
        ([1, 2] * u.arcsec, "must be one positive, finite angle"),
    ],
)
def test_bad_pixel_scales_are_refused(value, message):
    with pytest.raises(ObservationError, match=message):
        parse_pixel_scale(value)


def test_quantity_from_text():
    assert parse_quantity("5 min", u.s, name="exposure") == 300 * u.s


def test_quantity_needs_a_unit():
    with pytest.raises(TypeError, match="exposure must carry a unit, got 5"):
        parse_quantity(5, u.s, name="exposure")


@pytest.mark.parametrize("value", ["soon", "5 Jy"])
def test_quantity_must_be_convertible(value):
    with pytest.raises(ValueError, match=f"exposure must be .*got '{value}'"):
        parse_quantity(value, u.s, name="exposure")


def test_values_are_plain_numbers_in_the_declared_unit():
    value = to_value("1 arcmin", u.arcsec, name="radius")
    assert type(value) is float
    assert value == 60
    np.testing.assert_array_equal(to_value([1, 2] * u.m, u.cm, name="x"), [100, 200])
    assert to_value(0.5, u.dimensionless_unscaled, name="q") == 0.5
    with pytest.raises(TypeError, match="radius must carry a unit"):
        to_value(3.0, u.arcsec, name="radius")


@pytest.mark.parametrize(
    ("stored", "native"),
    [(">f4", "f4"), (">f8", "f8"), (">i2", "f4"), ("u1", "f4"), (">i4", "f8"), ("f2", "f4")],
)
def test_native_arrays_keep_their_precision(stored, native):
    array = np.arange(6).reshape(2, 3).astype(stored)
    result = to_native(array)
    assert result.dtype == np.dtype(native)
    assert result.dtype.isnative
    np.testing.assert_array_equal(result, array)
    assert not np.shares_memory(result, array)


def test_tensors_are_in_the_declared_unit(dtype, device):
    tensor = to_tensor([1.0, 2.0] * u.arcmin, u.arcsec, dtype=dtype, device=device)
    assert tensor.dtype == dtype
    assert tensor.tolist() == [60.0, 120.0]
    np.testing.assert_allclose(from_tensor(tensor, u.arcsec).to_value(u.arcmin), [1, 2])


def test_tensors_of_foreign_byte_order_and_reversed_rows():
    array = np.arange(6, dtype=">f4").reshape(2, 3)[::-1]
    tensor = to_tensor(array)
    assert tensor.dtype == torch.float32
    np.testing.assert_array_equal(tensor.numpy(), array)


def test_tensors_share_no_memory():
    array = np.zeros(3)
    to_tensor(array)[0] = 1
    assert array[0] == 0
    tensor = torch.zeros(3, requires_grad=True)
    from_tensor(tensor, u.s)[0] = 1 * u.s
    assert tensor[0] == 0


def test_a_quantity_needs_the_tensors_unit():
    with pytest.raises(TypeError, match="unit must be given to turn a Quantity in arcsec"):
        to_tensor([1.0] * u.arcsec)


def test_an_array_cannot_be_converted():
    with pytest.raises(TypeError, match="must carry a unit to be converted to arcsec"):
        to_tensor(np.ones(2), u.arcsec)


def test_importing_does_not_load_torch():
    code = (
        "import astrorim.quantities, astrorim.observation, sys; print('torch' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "False"
