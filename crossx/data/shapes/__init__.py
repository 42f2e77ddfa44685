"""The embedded data set: drawings and photos of ten shapes."""
