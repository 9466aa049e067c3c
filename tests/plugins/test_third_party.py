"""A stranger's package, installed, works everywhere without another edit."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys

import pytest

NAME = "pseudo-isothermal"


@pytest.fixture(scope="module")
def environment(repository, tmp_path_factory):
    """Environment variables under which the third party's package is installed."""
    work = tmp_path_factory.mktemp("third_party")
    source = shutil.copytree(
        repository / "tests" / "data" / "third_party_plugin", work / "source"
    )
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-index"]
    options = ["--no-build-isolation", "--target", str(work / "site"), str(source)]
    subprocess.run([*command, *options], check=True, capture_output=True, text=True)
    return os.environ | {"PYTHONPATH": str(work / "site"), "MPLBACKEND": "agg"}


@pytest.fixture
def python(environment, tmp_path):
    def run(code):
        done = subprocess.run(
            [sys.executable, "-c", code],
            capture_output=True,
            text=True,
            env=environment,
            cwd=tmp_path,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    return run


@pytest.fixture
def astrorim(python):
    def run(*arguments):
        return python(
            "from astrorim.cli import main; "
            f"raise SystemExit(main({[str(argument) for argument in arguments]!r}))"
        )

    return run


def test_package_is_under_sixty_lines(repository):
    folder = repository / "tests" / "data" / "third_party_plugin"
    lines = [path.read_text(encoding="utf-8").splitlines() for path in folder.iterdir()]
    assert sum(map(len, lines)) < 60


def test_model_is_registered_beside_ours(python):
    row, failures = json.loads(
        python(
            "import json, astrorim; plugins = astrorim.load_plugins(); "
            f"entry = plugins.lens_models.entry({NAME!r}); "
            "print(json.dumps([[entry.owner, entry.version], dict(plugins.failures)]))"
        )
    )
    assert row == ["softened", "0.3"]
    assert failures == {}


def test_model_lenses_alone_and_in_a_sum(python):
    """Gradient of the potential is the deflection, in a sum with our shear too."""
    deviation = python(
        f"""
import torch, astrorim
model = astrorim.load_plugins().lens_models.resolve({NAME + "+shear"!r})
torch.manual_seed(1)
x, y = torch.randn(2, 50, dtype=torch.float64, requires_grad=True)
params = {{p.name: torch.tensor(sum(p.prior) / 2 + 0.01, dtype=torch.float64)
          for p in model.parameters}}
grad = torch.autograd.grad(model.potential(x, y, params).sum(), (x, y))
alpha = model.deflection(x, y, params)
print(max((g - a).abs().max().item() for g, a in zip(grad, alpha)))
"""
    )
    assert float(deviation) < 1e-12


def test_command_line_lists_it(astrorim):
    (line,) = [line for line in astrorim("plugins").splitlines() if NAME in line]
    assert "softened" in line
    assert "0.3" in line


def test_it_is_simulated_and_reconstructed_from_the_command_line(astrorim, tmp_path):
    astrorim(
        *("simulate", "foundation", "--lens-model", NAME, "--number", 1, "--seed", 7),
        *("--size", 64),
        *("--output-dir", tmp_path / "simulated"),
    )
    (image,) = (tmp_path / "simulated").glob("lensed_*.fits")
    astrorim(
        *("reconstruct", image, "--lens-model", NAME, "--num-iterations", 2),
        *("--source-size", 12),
        *("--output-dir", tmp_path / "reconstructed"),
    )
    (file,) = (tmp_path / "reconstructed").glob("*_parameters.json")
    parameters = json.loads(file.read_text(encoding="utf-8"))
    assert 0.2 < parameters["b"] < 4
