"""SDXL and YOLOv8 as plain nn.Modules under their checkpoint names, and nothing else."""
