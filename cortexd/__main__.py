"""`python -m cortexd` is `cortexd`."""

from cortexd.cli import main

if __name__ == "__main__":
    main(prog_name="cortexd")
