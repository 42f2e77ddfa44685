"""Fine-grained retrieval: rows that share data and start, measured and compared query by query."""
