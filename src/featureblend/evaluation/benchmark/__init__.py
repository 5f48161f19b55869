"""Speed and memory of every method and stage, each in its own process, as ratios within one run."""
