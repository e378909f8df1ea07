"""The loop, and what it leaves: states, checkpoints, records, samples."""
