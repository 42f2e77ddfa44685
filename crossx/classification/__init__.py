"""Training of a teacher: an ordinary classifier, written to a file."""
