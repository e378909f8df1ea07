"""The article's experiment in the toy world."""
