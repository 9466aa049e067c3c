"""Built-in network backends, and the weights that come with them."""
