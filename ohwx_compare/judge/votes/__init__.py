"""Blind votes: which pictures are shown next, what the answers add up to, and how sure that is."""
