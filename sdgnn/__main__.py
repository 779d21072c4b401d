"""``python -m sdgnn`` is the command ``sdgnn``."""

import sys

if not sys.flags.safe_path:
    del sys.path[0]  # the working folder, whose random.py would take the place of Python's

from sdgnn.cli.app import main

main()
