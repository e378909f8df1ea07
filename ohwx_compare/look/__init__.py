"""A run folder to be looked at: page, sheet and their texts; no model is needed."""
