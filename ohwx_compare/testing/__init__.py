"""What only tests and bench/ use: a host without a model, drawn checkpoints and detectors."""
