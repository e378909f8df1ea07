"""Drawn stand-ins: checkpoints and a detector of the real layouts, small, made from a seed."""
