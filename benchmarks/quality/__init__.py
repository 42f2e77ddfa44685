"""The paper's tables from one command: `python -m benchmarks.quality --benchmark cifar-tuberlin`."""
