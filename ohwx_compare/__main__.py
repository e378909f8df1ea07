"""`python -m ohwx_compare` is the `ohwx` command."""

from ohwx_compare.cli.main import main

if __name__ == "__main__":
    raise SystemExit(main())
