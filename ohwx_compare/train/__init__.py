"""Training: a recipe, its plan, and the loop that carries it out."""
