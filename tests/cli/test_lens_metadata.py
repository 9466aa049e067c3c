from __future__ import annotations

import pytest

from astrorim.cli.lens_metadata import LensMetadata, check_pixel_scale, read_lens_metadata
from astrorim.exceptions import ObservationError


def test_cells_may_be_empty_and_columns_missing(tmp_path):
    path = tmp_path / "z.csv"
    path.write_text("name,z_lens,z_source\na,0.2,\n")
    assert read_lens_metadata(path) == {"a": LensMetadata(0.2, None)}
    path.write_text("lens_name, z_lens, z_source, pixel_scale_arcsec, note\nb,0.2,0.9,0.05,x\n")
    assert read_lens_metadata(path) == {"b": LensMetadata(0.2, 0.9, 0.05)}


@pytest.mark.parametrize(
    "text, complaint",
    [
        (
            "name,z_lens,z_source\na,near,far\n",
            "z_lens of 'a' in .* must be a number, got 'near'",
        ),
        ("lens,z\na,1\n", "must have the columns lens_name, z_lens and z_source, got lens, z"),
        ("name,z_lens,z_source\na,1,2\na,1,3\n", "one row for each lens, got two 'a'"),
        (
            "name,z_lens,z_source,pixel_scale_arcsec\na,1,2,50 mas\n",
            "pixel_scale_arcsec of 'a'",
        ),
    ],
)
def test_bad_tables_are_refused(tmp_path, text, complaint):
    path = tmp_path / "z.csv"
    path.write_text(text)
    with pytest.raises(ObservationError, match=complaint):
        read_lens_metadata(path)


def test_pixel_scale_must_be_the_one_of_the_reconstruction():
    check_pixel_scale(None, 0.05)
    check_pixel_scale(0.0499, 0.05)
    for wrong in (0.04, 0.0, float("nan")):
        with pytest.raises(ObservationError, match=rf"is {wrong:g} in the table.*with 0.05"):
            check_pixel_scale(wrong, 0.05)
