"""``python -m prompt_ensemble`` is the command line."""

import sys

from prompt_ensemble.cli.main import main

sys.exit(main())
