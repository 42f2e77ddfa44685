"""Health of a training: measures, findings, diversity."""
