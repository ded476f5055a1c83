"""The regressor: an image tower with a head that predicts the embedding of an image's prompt.

``network`` is the model, ``regressor_folder`` saves and loads it, and ``views`` defines the ways in
which an image is shown to it.
"""
