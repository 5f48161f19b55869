"""All methods on the same pairs: protocols, measuring, learned features, reports; the benchmark of speed."""
