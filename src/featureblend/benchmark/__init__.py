"""Speed and memory of every method and stage, in processes of their own, as ratios within one run."""
