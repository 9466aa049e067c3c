"""Writes a page for each declared simulator: its quantities, and lenses that it drew."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, MaxNLocator, NullFormatter
from registry_tables import BUILTIN, list_table

from astrorim.plotting import contact_sheet, figure_to_png
from astrorim.plugins import load_plugins
from astrorim_plugins import simulators as package
from astrorim_plugins.simulators.blocks import NUM_MAGNITUDES
from astrorim_plugins.simulators.declaration import EFFECTS
from astrorim_plugins.simulators.distributions import (
    Cases,
    Chance,
    Distribution,
    OneOf,
)

if TYPE_CHECKING:
    from astrorim.interfaces import SimulatedLenses
    from astrorim_plugins.simulators.declaration import Declaration, Quantity
    from astrorim_plugins.simulators.population_simulator import PopulationSimulator

__all__ = ["declared_simulators", "write_simulator_pages"]

SEED = 2_000_000_000
BINS = 18
MEASURES = {
    "effective_einstein_radius": ("effective Einstein radius", "arcsec"),
    "signal_to_noise": ("S/N of the arcs", ""),
    "magnification": ("magnification", ""),
}
COLOURS = ("#4c78a8", "#f2a541", "#7a9e5b", "#b279a2")
CELL = "\n" + " " * 7
"""Begins a further line in a cell of `list_table`."""


def declared_simulators() -> Iterator[PopulationSimulator]:
    """Our registered simulators that are written as a declaration."""
    simulators = load_plugins().simulators
    for entry in simulators:
        if entry.owner == BUILTIN:
            simulator = simulators.create(entry.name)
            if hasattr(simulator, "declaration"):
                yield simulator


def fingerprint(simulator: PopulationSimulator, number: int, previewed: int) -> str:
    """Key of what was drawn: it changes with the declaration and with the code."""
    key = hashlib.sha256(
        repr((simulator.name, simulator.declaration, number, previewed, SEED)).encode()
    )
    folder = Path(package.__file__).parent
    sources = [*sorted(folder.rglob("*.py")), Path(contact_sheet.__file__)]
    for path in sources:
        key.update(path.read_bytes())
    return key.hexdigest()


def text_of(distribution: Distribution, declaration: Declaration) -> str:
    """A distribution as the text of a cell, one line for each of its cases."""
    if not isinstance(distribution, Cases):
        return f"``{distribution}``"
    by = declaration[distribution.by].distribution
    lines = (f"| {name}: ``{case}``" for name, case in named_cases(distribution, by))
    return CELL.join(lines)


def named_cases(cases: Cases, by: Distribution) -> Iterator[tuple[str, Distribution]]:
    """Each case with its name."""
    names = by.names if isinstance(by, OneOf) else map(str, range(len(cases.cases)))
    return zip(names, cases.cases, strict=True)


def quantity_row(quantity: Quantity, declaration: Declaration) -> tuple[str, ...]:
    """One line of the table of quantities."""
    return (
        f"``{quantity.name}``",
        f":math:`{quantity.symbol}`",
        str(quantity.unit) or "1",
        text_of(quantity.distribution, declaration),
        str(quantity.count),
        quantity.description,
    )


def declared_share(quantity: Quantity, declaration: Declaration) -> str:
    """Probability of an effect as it is declared."""
    distribution = quantity.distribution
    if isinstance(distribution, Chance):
        return f"{distribution.probability:g}"
    if isinstance(distribution, Cases):
        by = declaration[distribution.by].distribution
        return ", ".join(f"{name} {chance(c):g}" for name, c in named_cases(distribution, by))
    return "1"


def chance(distribution: Distribution) -> float:
    """Probability of anything but zero."""
    return distribution.probability if isinstance(distribution, Chance) else 1.0


def effects_of(declaration: Declaration) -> dict[str, Quantity]:
    """The effects that a declaration has, each with the quantity that turns it on."""
    return {
        effect: next(declaration[name] for name in names if name in declaration)
        for effect, names in EFFECTS.items()
        if any(name in declaration for name in names)
    }


def draw(simulator: PopulationSimulator, number: int) -> SimulatedLenses:
    """Lenses of the histograms, coarsely rendered."""
    return simulator.simulate(number, seed=SEED, supersampling=2)


def measure(simulator: PopulationSimulator, lenses: SimulatedLenses) -> dict[str, Any]:
    """Percentiles and shares of drawn lenses."""
    metadata = lenses.metadata
    record: dict[str, Any] = {"number": len(lenses)}
    for name in MEASURES:
        values = metadata[name].numpy()
        values = values[np.isfinite(values)]
        record[name] = np.percentile(values, [10, 50, 90]).tolist()
    record["effects"] = {
        effect: float(metadata[f"effect_{effect}"].mean())
        for effect in effects_of(simulator.declaration)
    }
    asked = metadata.get("wants_visible_arcs")
    visible = metadata["arcs_visible"]
    record["asked"] = len(lenses) if asked is None else int(asked.sum())
    record["visible"] = int((visible if asked is None else visible * asked).sum())
    record["arc_visibility"] = float(metadata["arc_visibility"].median())
    return record


def plot_measures(simulator: PopulationSimulator, lenses: SimulatedLenses) -> Figure:
    """Histograms of the measures, stacked by instrument."""
    figure = Figure(figsize=(9.2, 2.9), layout="constrained")
    instruments = simulator.declaration.instruments
    which = np.zeros(len(lenses), int)
    if "instrument" in lenses.metadata:
        which = lenses.metadata["instrument"].numpy().astype(int)
    panels = figure.subplots(1, len(MEASURES))
    for axes, (name, (label, unit)) in zip(panels, MEASURES.items(), strict=True):
        values = lenses.metadata[name].numpy().astype(float)
        good = np.isfinite(values) & (values > 0)
        low, high = np.percentile(values[good], [1, 98])
        high = max(high, 1.01 * low)
        if name == "effective_einstein_radius":
            edges = np.linspace(low, high, BINS + 1)
        else:
            edges = np.geomspace(low, high, BINS + 1)
            axes.set_xscale("log")
            axes.xaxis.set_major_locator(LogLocator(subs=(1, 3)))
            axes.xaxis.set_minor_formatter(NullFormatter())
        axes.xaxis.set_major_formatter("{x:g}")
        axes.yaxis.set_major_locator(MaxNLocator(5, integer=True))
        parts = [values[good & (which == i)] for i in range(len(instruments))]
        axes.hist(
            [np.clip(part, edges[0], edges[-1]) for part in parts],
            bins=edges,
            stacked=True,
            color=COLOURS[: len(parts)],
            label=[instrument.name for instrument in instruments],
            edgecolor="white",
            linewidth=0.4,
        )
        axes.axvline(np.median(values[good]), color="black", linewidth=1.2, linestyle="--")
        axes.set_xlabel(f"{label} [{unit}]" if unit else label)
        axes.spines[["top", "right"]].set_visible(False)
    panels[0].set_ylabel("lenses per bin")
    if len(instruments) > 1:
        panels[0].legend(frameon=False, fontsize=8)
    return figure


def record_of(
    simulator: PopulationSimulator, folder: Path, number: int, previewed: int
) -> dict[str, Any]:
    """What was measured, drawn anew only if the declaration or the code has changed."""
    path = folder / f"{simulator.name}.json"
    key = fingerprint(simulator, number, previewed)
    figures = [folder / f"{simulator.name}-{kind}.png" for kind in ("sheet", "measures")]
    if path.exists() and all(figure.exists() for figure in figures):
        record = json.loads(path.read_text(encoding="utf-8"))
        if record["key"] == key:
            return record
    lenses = draw(simulator, number)
    record = {"key": key, **measure(simulator, lenses)}
    shown = simulator.simulate(previewed, seed=SEED)
    drawings = (
        contact_sheet.plot_contact_sheet(shown, title=f"{simulator.name}, seed {SEED}"),
        plot_measures(simulator, lenses),
    )
    for figure, drawing in zip(figures, drawings, strict=True):
        figure.write_bytes(figure_to_png(drawing))
    path.write_text(json.dumps(record, indent=1), encoding="utf-8")
    return record


def visibility_text(declaration: Declaration, record: dict[str, Any]) -> str:
    """What the simulator asks of the arcs, and how often it gets it."""
    rule = declaration.visibility
    if "target_visibility" in declaration:
        target = declaration["target_visibility"].distribution
        wish = (
            "each lens draws a visibility that it wants, "
            f"``{target}``, to be met within {rule.tolerance:g}"
        )
    elif "wants_visible_arcs" in declaration:
        share = chance(declaration["wants_visible_arcs"].distribution)
        wish = f"{share:.0%} of the lenses ask for at least {rule.least:g}"
    else:
        wish = f"every lens asks for at least {rule.least:g}"
    asked, visible = record["asked"], record["visible"]
    fraction = visible / max(asked, 1)
    remark = (
        " The magnitudes that are declared rarely reach what is asked for: the arcs "
        "outshine the lens galaxy."
        if fraction < 0.5 and asked
        else ""
    )
    return (
        "The visibility of the arcs is the ratio of the 99th percentiles of the arcs' and of "
        f"the lens light's image: {wish}. The magnitude of the lens light is drawn again, "
        f"up to {NUM_MAGNITUDES - 1} times; the last draw is kept, and ``arcs_visible`` says "
        f"whether it is as wanted. Of the lenses below, {asked} ask and {visible} get it "
        f"({fraction:.1%}); the median visibility of all {record['number']} is "
        f"{record['arc_visibility']:.2g}.{remark} The option ``arc_visibility`` asks for a "
        "range of one's own."
    )


def percentile_text(name: str, record: dict[str, Any]) -> str:
    """Median with the 10th and 90th percentiles."""
    low, middle, high = (f"{float(f'{value:.3g}'):g}" for value in record[name])
    return f"{middle} ({low} to {high})"


def facts(simulator: PopulationSimulator) -> list[str]:
    """Field list of what holds for all lenses."""
    declaration = simulator.declaration
    kept = declaration.keep_theta_E
    lines = [
        ":Names: " + ", ".join(f"``{name}``" for name in (simulator.name, *simulator.aliases)),
        f":Lens model: ``{declaration.lens_model}``",
        f":Gain: {declaration.gain:g} electrons per count",
    ]
    if kept is not None:
        odd = chance(declaration["any_theta_E"].distribution)
        lines.append(
            f":Einstein radius: redshifts and velocity dispersion are drawn again until it "
            f"is within {kept[0]:g} to {kept[1]:g} arcsec, except for {odd:.0%} of the "
            "lenses, which keep the first"
        )
    return lines


def instrument_table(declaration: Declaration) -> list[str]:
    """Table of the telescopes."""
    shares = ["1"]
    if "instrument" in declaration:
        distribution = declaration["instrument"].distribution
        shares = [f"{share:g}" for share in distribution.probabilities]
    rows = [
        (instrument.name, f"{instrument.pixel_scale:g}", share)
        for instrument, share in zip(declaration.instruments, shares, strict=True)
    ]
    return list_table("Instruments", ("instrument", "pixel [arcsec]", "share"), rows)


def heading(text: str, mark: str = "-") -> list[str]:
    """A heading and the empty lines about it."""
    return ["", text, mark * len(text), ""]


def effect_table(declaration: Declaration, record: dict[str, Any]) -> list[str]:
    """Effects, how probable they are and how often they came."""
    rows = [
        (
            f"``{effect}``",
            quantity.description,
            declared_share(quantity, declaration),
            f"{record['effects'][effect]:.2g}",
        )
        for effect, quantity in effects_of(declaration).items()
    ]
    if not rows:
        return ["None."]
    return [
        (
            "Any of them is left out by ``without``. The probability is that of the "
            "declaration; the share is what the lenses above have. The two differ where an "
            "effect needs more than its own draw, such as a number that may be zero, or a "
            "kind of point spread function."
        ),
        "",
        *list_table("Effects", ("effect", "what", "probability", "share"), rows),
    ]


def page_of(simulator: PopulationSimulator, record: dict[str, Any]) -> str:
    """Text of a simulator's page."""
    declaration, name = simulator.declaration, simulator.name
    measures = (
        (f"{label} [{unit}]" if unit else label, percentile_text(key, record))
        for key, (label, unit) in MEASURES.items()
    )
    lines = [
        *heading(f"``{name}``", "="),
        f"{simulator.description[0].upper()}{simulator.description[1:]}.",
        "",
        *facts(simulator),
        "",
        *instrument_table(declaration),
        visibility_text(declaration, record),
        *heading("How the lenses look"),
        "Pairs of the true source and the lensed image with noise::",
        "",
        f"    astrorim simulate {name} --preview --seed {SEED} --output-dir preview",
        "",
        f".. image:: {name}-sheet.png",
        f"   :alt: sources and lensed images of the simulator {name}",
        "   :width: 100%",
        *heading("What is drawn in effect"),
        (
            f"Of the first {record['number']} lenses of the seed {SEED}: the Einstein radius "
            "at which the mean convergence is one, whatever the mass is made of; the "
            "signal-to-noise ratio of the arcs, :math:`\\sqrt{\\sum (s_i / \\sigma_i)^2}` over "
            "all pixels; and the flux of the arcs inside the frame over that of the source. "
            "Dashed lines are medians; the outermost bins hold what lies beyond them."
        ),
        "",
        f".. image:: {name}-measures.png",
        f"   :alt: histograms of Einstein radius, S/N and magnification of {name}",
        "   :width: 100%",
        "",
        *list_table("Lenses", ("", "median (10th to 90th percentile)"), measures),
        *heading("Effects"),
        *effect_table(declaration, record),
        *heading("Every quantity that is drawn"),
        "Each has a random stream of its own. *Draws* is how many numbers a lens gets.",
        "",
        *list_table(
            "Quantities",
            ("name", "symbol", "unit", "distribution", "draws", "description"),
            (quantity_row(quantity, declaration) for quantity in declaration),
        ),
    ]
    return "\n".join(lines).lstrip("\n")


def overview_of(records: dict[str, dict[str, Any]], simulators: Sequence[Any]) -> str:
    """Table of all simulators, with links, and the list of their pages."""
    header = (
        *("simulator", "also", "for", "pixel [arcsec]"),
        "effective Einstein radius [arcsec]",
        "S/N of the arcs",
    )
    rows = [
        (
            f":doc:`{s.name} <simulators/{s.name}>`",
            ", ".join(f"``{alias}``" for alias in s.aliases),
            s.description,
            ", ".join(f"{i.pixel_scale:g}" for i in s.declaration.instruments),
            percentile_text("effective_einstein_radius", records[s.name]),
            percentile_text("signal_to_noise", records[s.name]),
        )
        for s in simulators
    ]
    title = "Simulators; median (10th to 90th percentile)"
    pages = (f"   simulators/{name}" for name in records)
    toctree = [".. toctree::", "   :hidden:", "", *pages]
    return "\n".join([*list_table(title, header, rows), *toctree, ""])


def write_simulator_pages(folder: Path, *, number: int = 192, previewed: int = 12) -> None:
    """Write ``<name>.rst`` with its figures for each simulator, and two parts of the index.

    Parameters
    ----------
    folder : pathlib.Path
        Folder of the pages. Figures and what was measured stay there, and are made again
        only when the declaration, or the code of the simulators, has changed.
    number : int, optional
        Lenses in the histograms.
    previewed : int, optional
        Lenses on the contact sheet.
    """
    folder.mkdir(parents=True, exist_ok=True)
    simulators = list(declared_simulators())
    records = {}
    for simulator in simulators:
        record = record_of(simulator, folder, number, previewed)
        records[simulator.name] = record
        write_if_changed(folder / f"{simulator.name}.rst", page_of(simulator, record))
    write_if_changed(folder / "overview.inc", overview_of(records, simulators))
    shares = (
        f".. |arcs_visible_{name}| replace:: {record['visible'] / max(record['asked'], 1):.1%}"
        for name, record in records.items()
    )
    write_if_changed(folder / "shares.inc", "\n".join([*shares, ""]))
    for path in folder.glob("*.rst"):
        if path.stem not in records:
            path.unlink()


def write_if_changed(path: Path, text: str) -> None:
    """Leave a file that is as it should be alone, so that it need not be built again."""
    if not path.exists() or path.read_text(encoding="utf-8") != text:
        path.write_text(text, encoding="utf-8")
