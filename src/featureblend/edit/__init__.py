"""What is made beyond one blend: continua, averages, transforms, mixes, batches; and replays."""
