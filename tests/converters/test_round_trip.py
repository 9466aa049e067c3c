"""Every tag through a real file: every field compared after closing."""

from __future__ import annotations

from dataclasses import fields

import asdf
import astropy.units as u
import numpy as np
import pytest
from asdf.exceptions import ValidationError
from astropy.io import fits
from astropy.nddata import InverseVariance, StdDevUncertainty, VarianceUncertainty
from astropy.wcs import WCS

from astrorim.grid import SourceGrid
from astrorim.observation import LensObservation
from astrorim.results import Reconstruction

ATTRIBUTES = ("psf_supersampling", "band", "name", "z_lens", "z_source", "exposure", "gain")


def through_file(value, path):
    asdf.AsdfFile({"value": value}).write_to(path)
    with asdf.config_context() as config:
        config.validate_on_read = True
        if hasattr(config, "warn_on_failed_conversion"):
            config.warn_on_failed_conversion = False
        with asdf.open(path) as file:
            return file["value"]


def assert_same_observation(a, b):
    assert type(a) is type(b) is LensObservation
    for name in ATTRIBUTES:
        assert getattr(a, name) == getattr(b, name), name
    for name in ("data", "mask", "psf"):
        np.testing.assert_array_equal(getattr(a, name), getattr(b, name), err_msg=name)
        if getattr(a, name) is not None:
            assert type(getattr(b, name)) is np.ndarray
            assert getattr(a, name).dtype == getattr(b, name).dtype, name
    assert a.unit == b.unit
    if a.wcs is None and a._pixel_scale is not None:
        assert a.pixel_scale == b.pixel_scale
    assert type(a.uncertainty) is type(b.uncertainty)
    if a.uncertainty is not None:
        np.testing.assert_array_equal(a.uncertainty.array, b.uncertainty.array)
        assert a.uncertainty.unit == b.uncertainty.unit
    assert (a.wcs is None) == (b.wcs is None)
    if a.wcs is not None:
        # astropy writes a CD matrix as PC, with thirteen digits
        np.testing.assert_allclose(
            b.wcs.pixel_scale_matrix, a.wcs.pixel_scale_matrix, rtol=1e-12, atol=1e-18
        )
        pixels = [[0.0, 0.0], [30.0, 5.0]]
        np.testing.assert_allclose(
            b.wcs.all_pix2world(pixels, 0), a.wcs.all_pix2world(pixels, 0), rtol=1e-12
        )
        assert list(a.wcs.wcs.ctype) == list(b.wcs.wcs.ctype)
    assert isinstance(a.meta, fits.Header) == isinstance(b.meta, fits.Header)
    assert dict(a.meta) == dict(b.meta)


@pytest.mark.parametrize("kind", [StdDevUncertainty, VarianceUncertainty, InverseVariance])
def test_observation_with_each_uncertainty(tmp_path, rng, make_wcs, kind):
    observation = LensObservation(
        rng.normal(size=(9, 11)).astype("f4"),
        unit="nJy",
        uncertainty=kind(rng.uniform(1, 2, size=(9, 11)).astype("f4")),
        mask=np.eye(9, 11, dtype=bool),
        wcs=make_wcs(),
        psf=np.full((3, 3), 1 / 9),
        psf_supersampling=3,
        band="F814W",
        name="J1",
        z_lens=0.5,
        z_source=2.0,
        exposure=100 * u.s,
        gain=2.5 * u.electron / u.adu,
        meta={"a": 1, "b": (1, 2.5), "c": {"d": None}},
    )
    back = through_file(observation, tmp_path / "o.asdf")
    assert back.meta["b"] == [1, 2.5]
    back.meta["b"] = (1, 2.5)
    assert_same_observation(observation, back)


@pytest.mark.parametrize(
    "unit", ["electron/s", "adu", "MJy/sr", "1e-20 erg/(s cm2 AA)", "DN/s"]
)
def test_observation_units(tmp_path, unit):
    observation = LensObservation(np.eye(5), unit=unit, pixel_scale="0.05 arcsec")
    assert_same_observation(observation, through_file(observation, tmp_path / "o.asdf"))


def test_observation_with_nothing_known(tmp_path):
    observation = LensObservation(np.eye(5), unit="adu")
    back = through_file(observation, tmp_path / "o.asdf")
    assert back.uncertainty is back.wcs is back.psf is back.mask is back.exposure is None
    with pytest.raises(ValueError, match="pixel scale is unknown"):
        _ = back.pixel_scale


def test_fits_header_survives_card_by_card(tmp_path):
    header = fits.Header()
    header["EXPTIME"] = (2000.0, "seconds")
    header["LONG"] = ("x'" * 100, "continued over cards")
    header["HIERARCH ESO DET ID"] = 3
    header["UNDEF"] = fits.card.UNDEFINED
    header["FLAG"] = True
    header["HISTORY"] = "first"
    header["HISTORY"] = "second"
    header["COMMENT"] = "a comment"
    observation = LensObservation(np.eye(5), unit="adu", pixel_scale="0.1 arcsec", meta=header)
    back = through_file(observation, tmp_path / "o.asdf").meta
    assert isinstance(back, fits.Header)
    assert back.tostring() == observation.meta.tostring()
    assert back.cards["EXPTIME"].comment == "seconds"


def test_distorted_wcs_survives(tmp_path):
    from astropy.wcs import Sip

    wcs = WCS(naxis=2)
    wcs.wcs.ctype = "RA---TAN-SIP", "DEC--TAN-SIP"
    wcs.wcs.crpix, wcs.wcs.cdelt = (3.0, 3.0), (-1e-5, 1e-5)
    a = np.zeros((3, 3))
    a[2, 0] = 1e-5
    wcs.sip = Sip(a, a.T.copy(), None, None, (3.0, 3.0))
    wcs.wcs.set()
    observation = LensObservation(np.eye(5), unit="adu", wcs=wcs)
    back = through_file(observation, tmp_path / "o.asdf")
    np.testing.assert_allclose(
        back.wcs.all_pix2world([[0, 4]], 0), wcs.all_pix2world([[0, 4]], 0), rtol=1e-14
    )


def test_source_grid(tmp_path):
    grid = SourceGrid((40, 50), 0.02, 0.3, -0.1)
    assert through_file(grid, tmp_path / "g.asdf") == grid


@pytest.mark.parametrize("with_wcs", [True, False])
def test_reconstruction_every_field(tmp_path, make_reconstruction, with_wcs):
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


def test_unknown_uncertainty_is_refused(tmp_path):
    from astropy.nddata import UnknownUncertainty

    observation = LensObservation(
        np.eye(5), unit="adu", uncertainty=UnknownUncertainty(np.ones((5, 5)))
    )
    with pytest.raises(ValueError, match="must be one of the kinds .* got 'unknown'"):
        through_file(observation, tmp_path / "o.asdf")
