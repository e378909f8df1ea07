"""The webui's prompt grammar: parts, emphasis, prompt editing, chunks, styles."""
