"""What the webui's user asks for, from the panel or the API to a run folder."""
