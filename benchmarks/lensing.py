"""Speed of lens models and of whole simulated lenses, per frame."""

import torch

from astrorim.plugins import load_plugins

__all__ = ["Deflection", "Simulation"]


class Deflection:
    """Deflections, and their gradients, on a frame of 96 x 96 pixels rendered 4 x 4."""

    params = [("sie", "sis", "epl", "nfw", "shear", "mass-sheet", "sie+shear")]
    param_names = ["model"]

    def setup(self, name):
        """Make the model, positions and parameters."""
        self.model = load_plugins().lens_models.resolve(name)
        axis = torch.linspace(-2.4, 2.4, 384)
        self.y, self.x = torch.meshgrid(axis, axis, indexing="ij")
        self.values = {
            parameter.name: torch.tensor(0.37 * parameter.prior[0] + 0.63 * parameter.prior[1])
            for parameter in self.model.parameters
        }

    def time_deflection(self, _name):
        """Value alone."""
        self.model.deflection(self.x, self.y, self.values)

    def time_gradient(self, _name):
        """Value and gradient with respect to the parameters."""
        values = {name: value.clone().requires_grad_() for name, value in self.values.items()}
        alpha_x, alpha_y = self.model.deflection(self.x, self.y, values)
        (alpha_x.sum() + alpha_y.sum()).backward()


class Simulation:
    """Simulated lenses, eight at a time."""

    params = [("foundation",)]
    param_names = ["simulator"]

    def setup(self, name):
        """Make the simulator."""
        self.simulator = load_plugins().simulators.create(name)

    def time_simulate(self, _name):
        """Draw and render."""
        self.simulator.simulate(8, seed=1)
