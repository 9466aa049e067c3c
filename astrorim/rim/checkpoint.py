"""Trained weights with everything needed to use and to trust them, in one safetensors file."""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from astrorim.exceptions import CheckpointError

if TYPE_CHECKING:
    from torch import nn

    from astrorim.plugins import Plugins

__all__ = ["FORMAT_VERSION", "Checkpoint", "load_checkpoint", "save_checkpoint"]

FORMAT_VERSION = 1
"""Version of the layout of the metadata."""

_KEY = "astrorim"
_REQUIRED = {
    "backend",
    "role",
    "architecture",
    "lens_model",
    "light_model",
    "parameters",
    "settings",
}


@dataclass
class Checkpoint:
    """A network with its provenance.

    Parameters
    ----------
    network : torch.nn.Module
        The network, in evaluation mode.
    backend : str
        Registered name of what built it.
    role : str
        ``"encoder"`` or ``"recurrence"``.
    architecture : dict
        Options of the backend.
    lens_model, light_model : str
        What the parameters belong to.
    parameters : list of str
        Names, in the order of parameter vectors.
    settings : dict
        What inference must know: standardisation, source size, number of steps.
    provenance : dict
        How it was trained: simulator, seed, lenses seen, minutes, versions, metrics.
    sha256 : str
        Checksum of the file, empty before it is saved.
    """

    network: nn.Module
    backend: str
    role: str
    architecture: dict[str, int]
    lens_model: str
    light_model: str
    parameters: list[str]
    settings: dict[str, Any]
    provenance: dict[str, Any] = field(default_factory=dict)
    sha256: str = ""

    def metadata(self) -> dict[str, Any]:
        """Everything but the weights, as plain JSON types."""
        return {
            "format": FORMAT_VERSION,
            "backend": self.backend,
            "role": self.role,
            "architecture": self.architecture,
            "lens_model": self.lens_model,
            "light_model": self.light_model,
            "parameters": self.parameters,
            "settings": self.settings,
            "provenance": self.provenance,
        }


def save_checkpoint(checkpoint: Checkpoint, path: str | os.PathLike[str]) -> None:
    """Write a checkpoint, whole or not at all.

    Parameters
    ----------
    checkpoint : Checkpoint
        What to write.
    path : path-like
        A ``.safetensors`` file; replaced when it exists.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    tensors = {
        key: tensor.detach().cpu().contiguous()
        for key, tensor in checkpoint.network.state_dict().items()
    }
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        save_file(tensors, temporary, metadata={_KEY: json.dumps(checkpoint.metadata())})
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def load_checkpoint(
    path: str | os.PathLike[str], plugins: Plugins, *, role: str | None = None
) -> Checkpoint:
    """Read a checkpoint and build its network from the registered backend.

    Parameters
    ----------
    path : path-like
        A file that `save_checkpoint` wrote.
    plugins : Plugins
        Where the backend is looked up.
    role : str, optional
        The role that is expected.

    Returns
    -------
    Checkpoint

    Raises
    ------
    CheckpointError
        If the file is missing, damaged, not AstroRIM's, of another format or role, or
        its weights do not fit the network that its backend builds.
    UnknownNameError
        If its backend is not registered.
    """
    path = Path(path)
    if not path.is_file():
        raise CheckpointError(f"there are no weights at {str(path)!r}")
    try:
        with safe_open(path, framework="pt") as file:
            text = (file.metadata() or {}).get(_KEY)
            tensors = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
    except (SafetensorError, OSError) as error:
        raise CheckpointError(f"cannot read weights from {str(path)!r}: {error}") from error
    if text is None:
        raise CheckpointError(f"{str(path)!r} holds weights that AstroRIM did not write")
    try:
        metadata = dict(json.loads(text))
    except (TypeError, ValueError) as error:
        raise CheckpointError(
            f"the description of the weights in {str(path)!r} is damaged: {error}"
        ) from error
    if metadata.pop("format", None) != FORMAT_VERSION:
        raise CheckpointError(
            f"{str(path)!r} has another format than {FORMAT_VERSION}; update AstroRIM"
        )
    absent = sorted(_REQUIRED - set(metadata))
    if absent:
        raise CheckpointError(f"{str(path)!r} does not say its {', '.join(absent)}")
    if role is not None and metadata["role"] != role:
        raise CheckpointError(
            f"the network in {str(path)!r} must have the role {role!r}, "
            f"got {metadata['role']!r}"
        )
    backend = plugins.networks.create(metadata["backend"])
    try:
        network = backend.build(**metadata["architecture"])
    except TypeError as error:
        raise CheckpointError(
            f"the backend {metadata['backend']!r} cannot build the network of {str(path)!r}: "
            f"{error}"
        ) from error
    own = {key: tuple(value.shape) for key, value in network.state_dict().items()}
    stored = {key: tuple(value.shape) for key, value in tensors.items()}
    if own != stored:
        differing = sorted(set(own.items()) ^ set(stored.items()))
        raise CheckpointError(
            f"weights in {str(path)!r} do not fit the backend {metadata['backend']!r}: "
            f"{len(differing)} entries differ, first {differing[0]}"
        )
    network.load_state_dict(tensors)
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    return Checkpoint(network=network.eval(), sha256=digest, **metadata)
