"""What vlaudit costs, as ratios measured in one run: `python -m benchmarks.models`."""
