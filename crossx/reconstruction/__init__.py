"""The generators' side: from latents to pairs that the teachers recognise."""
