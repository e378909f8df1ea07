"""Train SDXL on yourself, compare the checkpoints honestly, decide which to keep."""

__all__ = ["__version__"]

__version__ = "0.2.0"
