"""The seed model: made by `train`, measured by `evaluate`; `check` says whether its folder is whole."""
