"""`python -m tandem` is `tandem`."""

from tandem.pipeline.cli import main

if __name__ == "__main__":
    raise SystemExit(main())
