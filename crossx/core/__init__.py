"""Ground that everything stands on: errors, files, paths, seeds, processes, precision."""
