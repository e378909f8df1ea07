"""What is wrong with a set of training pictures, before anything is trained on it."""
