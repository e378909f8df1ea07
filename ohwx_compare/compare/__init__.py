"""The comparison: its plan, its cells and their face pass, generated into a run folder."""
