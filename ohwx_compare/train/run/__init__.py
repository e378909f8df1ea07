"""The loop, and what it writes: states, checkpoints, records, samples."""
