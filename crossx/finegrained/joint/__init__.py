"""The joint run of fine-grained retrieval: generator, discriminator and retrieval in turn."""
