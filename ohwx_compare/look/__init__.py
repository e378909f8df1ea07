"""A run folder as people see it: page, sheet and their texts; no model is needed."""
