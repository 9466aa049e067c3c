"""``astrorim evaluate``."""

from __future__ import annotations

import shutil

import pytest
from astropy.table import Table


def test_one_lens_is_evaluated_into_two_files(tmp_path, astrorim):
    output = tmp_path / "tables" / "foundation.rst"
    arguments = ["foundation", "--number", 1, "--num_iterations", 2, "--no-oracle"]
    outcome = astrorim("evaluate", *arguments, "--output", output)
    assert (outcome.status, outcome.out.strip()) == (0, str(output))
    text = output.read_text(encoding="utf-8")
    assert "RIM, lens inferred" in text
    assert "--stage rim --num-iterations 2 --no-oracle --output foundation.rst" in text
    table = Table.read(output.with_suffix(".ecsv"))
    assert len(table) == 7
    assert table.meta["seed"] == 10**9
    assert sorted(p.name for p in output.parent.iterdir()) == [
        "foundation.ecsv",
        "foundation.rst",
    ]


def test_results_that_are_there_are_judged(tmp_path, astrorim, simulated, reconstructed):
    """Two good files and one that is none: that one is named and the others are judged."""
    results = tmp_path / "results"
    shutil.copytree(reconstructed, results)
    (results / "lensed_00007.asdf").write_bytes(b"not ASDF")
    output = tmp_path / "mine.rst"
    outcome = astrorim(
        *("evaluate", "--reconstructions", results, "--truths", simulated),
        *("--output", output, "--no-oracle"),
    )
    assert outcome.status == 1
    assert "lensed_00007.asdf is not judged" in outcome.err
    table = Table.read(output.with_suffix(".ecsv"))
    own = table[table["method"] == "reconstruction"]
    assert list(own["name"]) == ["lensed_00000", "lensed_00001"]
    assert (own["source_error"] > 0).all()
    assert set(own["coverage_95_e1"]) <= {0, 1}
    assert "seconds" not in table.colnames
    assert "lensed_00007.asdf" in output.read_text(encoding="utf-8")


@pytest.mark.parametrize(
    "arguments, complaint",
    [
        (("foundation", "--output", "table.txt"), "--output must end in .rst"),
        (("--output", "x.rst"), "give either a simulator's name, or --reconstructions"),
        (("--reconstructions", ".", "--output", "x.rst"), "go together"),
        (("foundation", "--seed", 5, "--output", "x.rst"), "--seed must be at least 10^9"),
        (("foundation", "--start", "rim", "--output", "x.rst"), "needs --stage rim map"),
    ],
)
def test_what_cannot_be_is_refused(astrorim, arguments, complaint):
    outcome = astrorim("evaluate", *arguments)
    assert outcome.status == 2
    assert complaint in outcome.err
