"""Images as uint8 arrays on their way to a network: one path for training and for search, which imports no torch."""
