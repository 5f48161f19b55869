"""The model folder, where both halves meet: its files, its networks on ONNX Runtime, how its latents are mixed."""
