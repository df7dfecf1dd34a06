"""``python -m cynn`` is the ``cynn`` command."""

import sys

from cynn.cli import main

sys.exit(main())
