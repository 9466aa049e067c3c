from __future__ import annotations

import hashlib
import json
from dataclasses import replace

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file

from astrorim.exceptions import CheckpointError, UnknownNameError
from astrorim.rim.checkpoint import FORMAT_VERSION, load_checkpoint, save_checkpoint


@pytest.fixture
def path(tmp_path):
    return tmp_path / "weights.safetensors"


def rewrite(path, **changes):
    """Change entries of a file's description; None takes one away."""
    with safe_open(path, framework="pt") as file:
        metadata = json.loads(file.metadata()["astrorim"])
        tensors = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
    metadata |= changes
    metadata = {key: value for key, value in metadata.items() if value is not None}
    save_file(tensors, path, metadata={"astrorim": json.dumps(metadata)})


def test_every_field_survives(checkpoints, plugins, path):
    for checkpoint in checkpoints:
        save_checkpoint(checkpoint, path)
        loaded = load_checkpoint(path, plugins, role=checkpoint.role)
        assert loaded.metadata() == checkpoint.metadata()
        assert loaded.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
        assert not loaded.network.training


def test_reloaded_encoder_gives_the_same_posterior(checkpoints, plugins, path, generator):
    encoder = checkpoints[0]
    save_checkpoint(encoder, path)
    loaded = load_checkpoint(path, plugins)
    features = torch.randn(2, 7, 32, 32, generator=generator)
    psf = torch.rand(2, 1, 9, 9, generator=generator)
    samples = []
    for network in (encoder.network, loaded.network):
        torch.manual_seed(5)
        samples.append(network(features, psf).sample((4,)))
    assert torch.equal(*samples)


def test_reloaded_cell_gives_the_same_update(checkpoints, plugins, path, generator):
    cell = checkpoints[1]
    save_checkpoint(cell, path)
    loaded = load_checkpoint(path, plugins)
    inputs = torch.randn(2, 6, 16, 16, generator=generator)
    updates = [
        network(inputs, network.initial_state(2, 16, inputs))[0]
        for network in (cell.network, loaded.network)
    ]
    assert updates[0].any()
    assert torch.equal(*updates)


def test_file_appears_whole_and_alone(checkpoints, path):
    save_checkpoint(checkpoints[1], path)
    before = path.read_bytes()
    broken = replace(checkpoints[1], provenance={"seed": object()})
    with pytest.raises(TypeError, match="not JSON serializable"):
        save_checkpoint(broken, path)
    assert path.read_bytes() == before
    assert [p.name for p in path.parent.iterdir()] == [path.name]


def test_folder_is_made(checkpoints, tmp_path):
    path = tmp_path / "new" / "run" / "weights.safetensors"
    save_checkpoint(checkpoints[1], path)
    assert path.is_file()


def test_missing_file_is_refused(plugins, path):
    with pytest.raises(
        CheckpointError, match="there are no weights at '.*weights.safetensors'"
    ):
        load_checkpoint(path, plugins)


@pytest.mark.parametrize("content", [b"", b"not weights", b"\x08" + bytes(64)])
def test_damaged_file_is_refused(plugins, path, content):
    path.write_bytes(content)
    with pytest.raises(CheckpointError, match="cannot read weights from '.*weights"):
        load_checkpoint(path, plugins)


def test_truncated_file_is_refused(checkpoints, plugins, path):
    save_checkpoint(checkpoints[1], path)
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(CheckpointError, match="cannot read weights from '.*weights"):
        load_checkpoint(path, plugins)


@pytest.mark.parametrize("metadata", [None, {"format": "pt"}])
def test_weights_of_others_are_refused(plugins, path, metadata):
    save_file({"weight": torch.zeros(3)}, path, metadata=metadata)
    with pytest.raises(CheckpointError, match="holds weights that AstroRIM did not write"):
        load_checkpoint(path, plugins)


@pytest.mark.parametrize("text", ["{", "", "3"])
def test_damaged_description_is_refused(plugins, path, text):
    save_file({"weight": torch.zeros(3)}, path, metadata={"astrorim": text})
    with pytest.raises(CheckpointError, match="description of the weights in .* is damaged"):
        load_checkpoint(path, plugins)


def test_other_role_is_refused(checkpoints, plugins, path):
    save_checkpoint(checkpoints[1], path)
    with pytest.raises(CheckpointError, match="must have the role 'encoder', got 'recurrence'"):
        load_checkpoint(path, plugins, role="encoder")


def test_other_format_is_refused(checkpoints, plugins, path):
    save_checkpoint(checkpoints[1], path)
    rewrite(path, format=FORMAT_VERSION + 1)
    with pytest.raises(CheckpointError, match="another format than 1; update AstroRIM"):
        load_checkpoint(path, plugins)


def test_missing_entry_is_named(checkpoints, plugins, path):
    save_checkpoint(checkpoints[1], path)
    rewrite(path, backend=None, settings=None)
    with pytest.raises(CheckpointError, match="does not say its backend, settings"):
        load_checkpoint(path, plugins)


def test_weights_of_another_architecture_are_refused(checkpoints, plugins, path):
    save_checkpoint(checkpoints[1], path)
    rewrite(path, architecture=checkpoints[1].architecture | {"fine": 8})
    with pytest.raises(CheckpointError, match="do not fit the backend 'unet-gru': .* differ"):
        load_checkpoint(path, plugins)


def test_unknown_option_of_the_architecture_is_refused(checkpoints, plugins, path):
    save_checkpoint(checkpoints[1], path)
    rewrite(path, architecture={"depth": 8})
    with pytest.raises(CheckpointError, match="cannot build the network .* no option depth"):
        load_checkpoint(path, plugins)


def test_unknown_backend_lists_what_exists(checkpoints, plugins, path):
    save_checkpoint(checkpoints[1], path)
    rewrite(path, backend="transformer")
    with pytest.raises(UnknownNameError, match="'transformer'; available: .*unet-gru"):
        load_checkpoint(path, plugins)
