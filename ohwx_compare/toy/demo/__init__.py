"""The demo: the article's whole experiment in the toy world, and its answer in numbers."""
