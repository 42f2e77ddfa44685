"""Refinement of a generator of drawings by what a retrieval model and a discriminator say of its drawings."""
