"""`python -m xinyidai`."""

from xinyidai.cli import main

if __name__ == "__main__":
    main()
