"""Run by the webui before it reads its command line: adds no flag, so that none can be left over after removal."""
