"""A training as others see it: its process, its folder, its machine."""
