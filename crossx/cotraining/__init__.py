"""Joint training: the only package that knows both sides."""
