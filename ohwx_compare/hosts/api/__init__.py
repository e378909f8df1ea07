"""Running webuis over HTTP: their API draws, this process verifies, finds faces and keeps the run folder."""
