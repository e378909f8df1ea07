"""The judge's report: the same numbers as sentences, JSON, Markdown and a page."""
