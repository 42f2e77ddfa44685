"""Fine-grained retrieval from unlabelled photos ("More Photos are All You Need", CVPR 2021, arXiv 2103.13990)."""
