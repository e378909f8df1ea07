"""Infotexts, with ADetailer's and the X/Y/Z script's keys, read and written."""
