"""Built-in plugins of AstroRIM."""
