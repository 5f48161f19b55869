"""Losses: plain tensors in, one scalar out."""
