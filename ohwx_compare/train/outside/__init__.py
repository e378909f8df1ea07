"""A training seen from outside: its process, its folder, its machine."""
