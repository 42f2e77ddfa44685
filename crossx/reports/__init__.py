"""What a run leaves in its folder beside weights: results, health, pictures."""
