"""A whole run judged: which pictures, whose checkpoints, their scores, and the answer that follows."""
