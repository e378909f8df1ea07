"""What is compared: axes, cells, their keys and what came of them."""
