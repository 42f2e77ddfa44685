"""A package outside crossx, with losses of its own; the pages of the documentation show its files whole."""
