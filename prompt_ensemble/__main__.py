"""``python -m prompt_ensemble`` is the command line."""

import sys

from prompt_ensemble.cli import main

sys.exit(main())
