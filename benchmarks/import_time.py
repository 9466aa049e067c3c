"""How long it takes before anything has been done."""

import subprocess
import sys

__all__ = ["Start"]


class Start:
    """Time of a fresh interpreter, in seconds."""

    def time_import(self):
        """Import the package."""
        subprocess.run([sys.executable, "-c", "import astrorim"], check=True)

    def time_list_plugins(self):
        """Run ``astrorim plugins``."""
        code = "from astrorim.cli import main; main(['plugins'])"
        subprocess.run([sys.executable, "-c", code], check=True, stdout=subprocess.DEVNULL)
