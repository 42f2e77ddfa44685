"""Engines: what finds candidates among vectors; the gallery scores them again, exactly."""
