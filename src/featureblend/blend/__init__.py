"""From photos to one blend: the pipeline, its baselines, the finished picture, its quality and its recipe."""
