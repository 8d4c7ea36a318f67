"""`python -m lampion` is the `lampion` command."""

import sys

from lampion_command import main

if __name__ == "__main__":
    sys.exit(main())
