"""Files of models: their format, reading models of every kind, and the models that come with the package."""
