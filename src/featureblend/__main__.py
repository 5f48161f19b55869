"""``python -m featureblend`` is the command ``featureblend``."""

from .cli import main

if __name__ == "__main__":
    main()
