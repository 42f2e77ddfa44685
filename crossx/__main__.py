"""`python -m crossx` is the command `crossx`."""

import sys

from crossx.cli import main

sys.exit(main())
