"""Embeddings in Parquet files, between the machines that make them and the gallery that takes them."""
