"""How good a run is: measures per image, controls, and a page people can look at."""
