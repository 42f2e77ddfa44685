"""Joint training: the only package that imports both sides."""
