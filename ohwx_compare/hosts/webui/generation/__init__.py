"""The webui as a host: it draws, and is verified."""
