"""Configuration of Sphinx."""

import sys
from importlib.metadata import version as version_of
from pathlib import Path

from sphinx_astropy.conf.v3 import *

sys.path.insert(0, str(Path(__file__).parent))
from command_help import write_command_help
from reference_pages import write_reference_pages
from registry_tables import write_registry_tables, write_weights_table
from simulator_pages import write_simulator_pages

project = "AstroRIM"
author = "AstroRIM developers"
project_copyright = "2026, AstroRIM developers"
release = version_of("astrorim")
version = ".".join(release.split(".")[:2])

html_title = f"{project} {version}"
htmlhelp_basename = "astrorimdoc"
exclude_patterns = ["_build", "**.ipynb_checkpoints"]
# needs the program `dot`, which not every machine has
automodapi_inheritance_diagram = False
automodsumm_inherited_members = False
intersphinx_mapping["torch"] = ("https://docs.pytorch.org/docs/stable/", None)

HERE = Path(__file__).parent
write_reference_pages(HERE / "api" / "pages")
write_registry_tables(HERE / "api")
write_command_help(HERE / "api" / "commands.inc")
write_weights_table(HERE / "api" / "weights.inc")
write_simulator_pages(HERE / "simulators")
# tables of results exist only where an evaluation was run; a glob that finds none warns
tables = [f"   results/{path.stem}" for path in sorted((HERE / "results").glob("*.rst"))]
toctree = [".. toctree::", "   :maxdepth: 1", "", *tables] if tables else ["None yet."]
(HERE / "api" / "evaluations.inc").write_text("\n".join(toctree), encoding="utf-8")
