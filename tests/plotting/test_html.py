"""Results in notebooks."""

from __future__ import annotations

from xml.etree import ElementTree as ET

from astrorim.plotting.html import reconstruction_html


def test_html_is_well_formed_and_lists_every_parameter(reconstruction):
    text = reconstruction_html(reconstruction)
    root = ET.fromstring(text.replace("&chi;", "").replace("&sup2;", ""))
    cells = [row[0].text for row in root.iter("tr")][1:]
    assert cells == reconstruction.parameters.colnames[1:]
    (image,) = root.iter("img")
    assert "SDSS J0000+0000" in image.get("alt")
