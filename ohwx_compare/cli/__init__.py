"""The command line: `ohwx`, also `python -m ohwx_compare`."""
