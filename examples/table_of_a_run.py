"""What each member says, as a pandas table: python examples/table_of_a_run.py IMAGES."""

import sys

from prompt_ensemble import load_ensemble

with load_ensemble("examples/own_ensemble.toml") as ensemble:
    prediction = ensemble.predict(sys.argv[1])
table = prediction.to_frame().set_index("image_id")
print(table.drop(columns="seconds").to_string(max_colwidth=60))
print(prediction.embeddings.to_frame().shape)
