"""Untrained networks, small simulated lenses and a way to run commands, for all of cli."""

from __future__ import annotations

import shutil
from typing import NamedTuple

import astropy.units as u
import pytest

from astrorim.cli import main

SIZE = 40


class Outcome(NamedTuple):
    status: int
    out: str
    err: str


def run_command(*arguments):
    """Exit status of a command, also where the parser leaves."""
    try:
        return main([str(argument) for argument in arguments])
    except SystemExit as leaving:
        return int(leaving.code or 0)


@pytest.fixture
def astrorim(capsys):
    def run(*arguments):
        capsys.readouterr()
        status = run_command(*arguments)
        return Outcome(status, *capsys.readouterr())

    return run


@pytest.fixture(scope="session")
def weights(tmp_path_factory):
    """Small networks as they are before training: encoder and recurrence."""
    import torch

    from astrorim.plugins import load_plugins
    from astrorim.rim import Checkpoint, save_checkpoint
    from astrorim.rim.codec import ParameterCodec
    from astrorim.rim.objectives import EncoderObjective, RecurrenceObjective, image_data
    from astrorim.rim.recipes import system_of

    plugins = load_plugins()
    simulator = plugins.simulators.create("foundation")
    system = system_of(simulator, plugins)
    codec = ParameterCodec(system.parameters)
    sample = simulator.simulate(
        16, seed=3, shape=(SIZE, SIZE), pixel_scale=0.08, supersampling=1
    )
    codec.fit((system.stack(sample.lens, sample.light), image_data(sample)))
    folder = tmp_path_factory.mktemp("weights")
    paths = []
    for name, sizes, objective in (
        ("flow-encoder", {"width": 8, "context": 16}, EncoderObjective(system, codec)),
        (
            "unet-gru",
            {"fine": 4, "middle": 4, "coarse": 4},
            RecurrenceObjective(system, source_size=32, num_steps=2),
        ),
    ):
        backend = plugins.networks.create(name)
        architecture = backend.architecture() | sizes
        torch.manual_seed(5)
        checkpoint = Checkpoint(
            network=backend.build(**architecture).eval(),
            backend=name,
            role=objective.role,
            architecture=architecture,
            lens_model=system.lens.name,
            light_model=system.light.name,
            parameters=list(system.parameters.names),
            settings=objective.settings(),
        )
        paths.append(folder / f"{name}.safetensors")
        save_checkpoint(checkpoint, paths[-1])
    return paths


@pytest.fixture(scope="session")
def networks(weights):
    """Options that choose the untrained networks and little work."""
    encoder, recurrence = weights
    return (
        *("--encoder-weights", encoder, "--rim-weights", recurrence),
        *("--num-iterations", 1, "--device", "cpu"),
    )


@pytest.fixture(scope="session")
def simulated(tmp_path_factory):
    """Folder with two simulated pairs; not to be written to."""
    folder = tmp_path_factory.mktemp("simulated")
    status = run_command(
        *("simulate", "foundation", "--number", 2, "--seed", 11, "--size", SIZE),
        *("--pixel-scale", "0.08 arcsec", "--output-dir", folder),
    )
    assert status == 0
    return folder


@pytest.fixture(scope="session")
def reconstructed(networks, simulated, tmp_path_factory):
    """Results of the two simulated lenses; not to be written to."""
    folder = tmp_path_factory.mktemp("reconstructed")
    status = run_command(
        *("reconstruct", "--input-dir", simulated, "--output-dir", folder, *networks),
        *("--batch-size", 2),
    )
    assert status == 0
    return folder


class StandInResult:
    """A result that leaves an empty file instead of six."""

    def __init__(self, recorder, observation):
        self.recorder = recorder
        self.name = observation.name
        self.lens = {"theta_E": 1.0}
        self.reduced_chi2 = 1.0
        self.arc_reduced_chi2 = 1.5
        self.provenance = {}
        self.flags = {"first": "advice", "second": "advice"}
        recorder.alive += 1

    def __del__(self):
        self.recorder.alive -= 1

    def to_directory(self, directory):
        (directory / f"{self.name}.asdf").touch()

    def parameter(self, name):
        return [1.0 * u.arcsec, 0.9 * u.arcsec, 1.1 * u.arcsec]


class StandIn:
    """A reconstructor that does nothing, and refuses the lenses that it is told to."""

    def __init__(self, bad=()):
        self.bad = set(bad)
        self.calls = []
        self.observations = {}
        self.alive = 0

    def reconstruct(self, observations, **options):
        self.calls.append([observation.name for observation in observations])
        self.observations |= {observation.name: observation for observation in observations}
        if self.bad & set(self.calls[-1]):
            raise RuntimeError("singular matrix")
        return [StandInResult(self, observation) for observation in observations]


@pytest.fixture
def stand_in():
    return StandIn


@pytest.fixture
def recorder(monkeypatch):
    """Stand-in for the networks of the command line."""
    recorder = StandIn()
    monkeypatch.setattr("astrorim.cli.reconstruct.load_networks", lambda _: recorder)
    return recorder


@pytest.fixture
def lenses(simulated, tmp_path):
    """Two good images and one that is not an image, in a folder of the test's own."""
    folder = tmp_path / "lenses"
    folder.mkdir()
    for number in range(2):
        shutil.copy(simulated / f"lensed_{number:05d}.fits", folder / f"lens_{number}.fits")
    (folder / "broken.fits").write_bytes(b"this is no FITS file")
    return folder
