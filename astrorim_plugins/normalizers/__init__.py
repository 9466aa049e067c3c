"""Built-in normalizers: linear, invertible, and they never clip."""
