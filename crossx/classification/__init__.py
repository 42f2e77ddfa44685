"""Training of teachers: ordinary classifiers, written to teacher files."""
