"""The script's fields in txt2img and img2img."""
