"""``python -m sdgnn`` is the command ``sdgnn``."""

from sdgnn.cli import main

main()
