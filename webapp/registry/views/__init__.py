"""The pages of the registry: versions and their cards, who is in use, weights that come and go."""
