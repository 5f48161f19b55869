"""From photos to a model folder: data, presets, networks, losses, the loop, export (most needs torch)."""
