"""`python -m benchmarks.pages`."""

from benchmarks.pages import main

if __name__ == "__main__":
    main()
