"""What pytest leaves out here: a Sphinx extension that needs the path that conf.py sets."""

from __future__ import annotations

collect_ignore = ["simulator_pages.py"]
