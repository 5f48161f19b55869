"""Training: batches, objectives, the loop and a run's files. Needs torch (extra ``train``)."""
