"""Configuration of Sphinx."""

import sys
from importlib.metadata import version as version_of
from pathlib import Path

from sphinx_astropy.conf.v3 import *

sys.path.insert(0, str(Path(__file__).parent))
from command_help import write_command_help
from reference_pages import write_reference_pages
from registry_tables import write_registry_tables

project = "AstroRIM"
author = "AstroRIM developers"
project_copyright = "2026, AstroRIM developers"
release = version_of("astrorim")
version = ".".join(release.split(".")[:2])

html_title = f"{project} {version}"
htmlhelp_basename = "astrorimdoc"
exclude_patterns = ["_build", "**.ipynb_checkpoints"]
# generated pages of figures of merit exist only after an evaluation
suppress_warnings = ["app.add_directive", "toc.empty_glob"]
# needs the program `dot`, which not every machine has
automodapi_inheritance_diagram = False
automodsumm_inherited_members = False
intersphinx_mapping["torch"] = ("https://docs.pytorch.org/docs/stable/", None)

write_reference_pages(Path(__file__).parent / "api" / "pages")
write_registry_tables(Path(__file__).parent / "api")
write_command_help(Path(__file__).parent / "api" / "commands.inc")
