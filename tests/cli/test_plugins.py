from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest


@pytest.fixture
def with_broken_plugin(tmp_path):
    """Environment in which a plugin is installed whose module does not exist."""
    folder = tmp_path / "site" / "broken_lenses-1.0.dist-info"
    folder.mkdir(parents=True)
    (folder / "METADATA").write_text(
        "Metadata-Version: 2.1\nName: broken-lenses\nVersion: 1.0\n"
    )
    (folder / "entry_points.txt").write_text("[astrorim.plugins]\nbroken = no_such_module\n")
    return os.environ | {"PYTHONPATH": str(tmp_path / "site")}


def run(environment, *arguments):
    code = "import sys; from astrorim.cli import main; sys.exit(main())"
    return subprocess.run(
        [sys.executable, "-c", code, "plugins", *arguments],
        capture_output=True,
        text=True,
        env=environment,
    )


def test_table_has_kind_name_owner_version_and_aliases(astrorim):
    from astrorim import __version__

    outcome = astrorim("plugins")
    assert outcome.status == 0
    rows = [line.split("  ") for line in outcome.out.splitlines()]
    cells = [[cell.strip() for cell in row if cell.strip()] for row in rows]
    assert cells[0] == ["kind", "name", "owner", "version", "aliases"]
    assert ["simulator", "foundation", "astrorim-builtin", __version__, "v1"] in cells
    assert ["lens model", "sie", "astrorim-builtin", __version__] in cells


def test_json_has_the_same(astrorim):
    document = json.loads(astrorim("plugins", "--json").out)
    assert {row["kind"] for row in document["plugins"]} >= {"lens model", "PSF", "network"}
    assert document["failures"] == {}


def test_broken_plugin_is_listed_and_makes_the_command_fail(with_broken_plugin):
    done = run(with_broken_plugin)
    assert done.returncode == 1
    (line,) = [line for line in done.stdout.splitlines() if line.startswith("FAILED")]
    assert "broken: ModuleNotFoundError: No module named 'no_such_module'" in line
    assert "foundation" in done.stdout
    assert done.stderr == ""


def test_blocked_plugin_is_listed(with_broken_plugin):
    done = run(with_broken_plugin | {"ASTRORIM_BLOCK_PLUGINS": "broken"}, "--json")
    assert done.returncode == 0
    assert json.loads(done.stdout)["blocked"] == ["broken"]
