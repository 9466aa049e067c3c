"""One page about all masses of a run, which opens offline beside its figures."""

from __future__ import annotations

import html
import math
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote

__all__ = ["mass_report"]

_STYLE = """
body{font:15px/1.45 system-ui,sans-serif;color:#1b1b1b;max-width:1250px;margin:2em auto;
padding:0 1em}
h1{font-size:1.5em}h2{font-size:1.2em;border-top:1px solid #ccc;padding-top:1em;margin-top:2em}
table{border-collapse:collapse;font-size:.88em;margin:.6em 0}
th,td{padding:.2em .7em;text-align:right;border-bottom:1px solid #e3e3e3}
th{background:#f2f5f8}td:first-child,th:first-child,
td:last-child,th:last-child{text-align:left}
img{width:100%;height:auto}.bad{color:#a33000}.scroll{overflow-x:auto}
"""

_COLUMNS = (
    ("einstein_radius", "effective Einstein radius [arcsec]", 1.0, 4),
    ("critical_curve_radius", "critical-curve radius [arcsec]", 1.0, 4),
    ("theta_E", "theta_E, intermediate axis [arcsec]", 1.0, 4),
    ("einstein_mass", "Einstein mass [1e11 Msun]", 1e11, 4),
    ("sis_velocity_dispersion", "SIS dispersion [km/s]", 1.0, 1),
    ("axis_ratio", "axis ratio", 1.0, 3),
    ("position_angle", "position angle [deg E of N]", 1.0, 1),
)


def _interval(entry: Mapping[str, Any] | None, scale: float, digits: int) -> str:
    if entry is None or entry["value"] is None:
        return "&ndash;"
    value = f"{entry['value'] / scale:.{digits}f}"
    if entry["lower"] is None or entry["upper"] is None:
        return value
    return (
        f"{value} <small>({entry['lower'] / scale:.{digits}f} to "
        f"{entry['upper'] / scale:.{digits}f})</small>"
    )


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Table of cells that are HTML already."""
    top = "".join(f"<th>{cell}</th>" for cell in head)
    body = "".join(f"<tr>{''.join(f'<td>{cell}</td>' for cell in row)}</tr>" for row in rows)
    return f'<div class="scroll"><table><tr>{top}</tr>{body}</table></div>'


def _number(value: float | None) -> str:
    return "&ndash;" if value is None or not math.isfinite(value) else f"{value:.5g}"


def _items(entries: Mapping[str, Any]) -> str:
    rows = [
        (
            html.escape(str(key)),
            f'<span style="white-space:pre-wrap">{html.escape(str(v))}</span>',
        )
        for key, v in entries.items()
    ]
    return _table(("what", "value"), rows)


def _counted(number: int, one: str, several: str) -> str:
    return f"{number} {one if number == 1 else several}"


def _lens(stem: str, document: Mapping[str, Any]) -> str:
    name = html.escape(document["name"])
    figure = quote(f"{stem}_mass.png")
    flags = "".join(
        f'<li class="bad"><b>{html.escape(k)}</b>: {html.escape(v)}</li>'
        for k, v in document["flags"].items()
    )
    head = ("quantity", "value", "lower 68 %", "upper 68 %", "unit", "definition")
    blocks = []
    for title, key in (("Derived quantities", "derived"), ("Parameters", "parameters")):
        rows = [
            (
                html.escape(k), *(_number(e[r]) for r in ("value", "lower", "upper")),
                html.escape(e["unit"]), html.escape(e.get("definition") or ""),
            )
            for k, e in document[key].items()
        ]  # fmt: skip
        blocks.append(
            f"<details{' open' if key == 'derived' else ''}><summary>{title}</summary>"
            f"{_table(head, rows)}</details>"
        )
    return (
        f'<h2 id="{html.escape(stem)}">{name}</h2>'
        f"<p>{html.escape(document['lens_model'])}, z<sub>l</sub> = {document['z_lens']:g}, "
        f"z<sub>s</sub> = {document['z_source']:g}; reduced &chi;&sup2; "
        f"{_number(document['reduced_chi2'])}, in the arcs "
        f"{_number(document['arc_reduced_chi2'])}; {document['num_tangential']} tangential and "
        f"{_counted(document['num_radial'], 'radial critical curve', 'radial critical curves')}"
        f", {_counted(document['num_cuts'], 'cut', 'cuts')}.</p>"
        f"{f'<ul>{flags}</ul>' if flags else '<p>No flags.</p>'}"
        f'<img loading="lazy" alt="Six-panel mass figure of {name}" src="{figure}"/>'
        f'<p><a href="{quote(stem)}_mass.pdf">PDF</a></p>{"".join(blocks)}'
        f"<details><summary>Provenance of the reconstruction</summary>"
        f"{_items(document['provenance'])}{_items(document['request'])}</details>"
    )


def mass_report(
    documents: Mapping[str, Mapping[str, Any]],
    failures: Mapping[str, str],
    provenance: Mapping[str, str],
) -> str:
    """Make the page.

    Parameters
    ----------
    documents : mapping of str to mapping
        Stem of its reconstruction and document of each lens.
    failures : mapping of str to str
        Why lenses failed, by the name of their file.
    provenance : mapping of str to str
        What the run was made with.

    Returns
    -------
    str
        HTML; figures are referred to relative to it, all names are escaped.
    """
    rows = []
    for stem, document in documents.items():
        link = f'<a href="#{html.escape(stem)}">{html.escape(document["name"])}</a>'
        cells = [_interval(document["derived"].get(n), s, d) for n, _, s, d in _COLUMNS]
        flags = html.escape(" ".join(document["flags"]))
        rows.append((link, *cells, f'<span class="bad">{flags}</span>'))
    head = ("lens", *(label for _, label, _, _ in _COLUMNS), "flags")
    failed = [(html.escape(n), html.escape(reason)) for n, reason in failures.items()]
    lost = f"<h2>Failed</h2>{_table(('lens', 'reason'), failed)}" if failed else ""
    return (
        '<!DOCTYPE html><html lang="en"><head><meta charset="utf-8"/>'
        '<meta name="viewport" content="width=device-width"/>'
        f"<title>AstroRIM masses</title><style>{_STYLE}</style></head><body>"
        f"<h1>Masses of {_counted(len(documents), 'lens', 'lenses')}</h1>"
        "<p>Values with 68 % bounds from the posterior samples, at fixed redshifts and "
        "cosmology. The mass-sheet degeneracy is not in the bounds: with any &lambda;, "
        "&kappa; &rarr; &lambda;&kappa; + 1 &minus; &lambda; fits the image as well (Falco, "
        "Gorenstein &amp; Shapiro 1985). It leaves the Einstein radius and mass as they are, "
        "and changes the slope and everything beyond.</p>"
        f"{_table(head, rows)}{lost}"
        f"{''.join(_lens(s, d) for s, d in documents.items())}"
        f"<h2>Provenance of this run</h2>{_items(provenance)}</body></html>\n"
    )
