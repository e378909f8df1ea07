"""A whole experiment in one file: trainings that differ in named fields, comparisons of their saves, the judgement."""
