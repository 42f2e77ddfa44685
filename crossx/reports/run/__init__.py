"""The run record: results, baselines, checkpoint, embeddings."""
