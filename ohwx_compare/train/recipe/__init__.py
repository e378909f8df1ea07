"""The recipe file, and the settings of other trainers read as a recipe."""
