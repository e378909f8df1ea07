"""The webui as a host: it generates, and is verified."""
