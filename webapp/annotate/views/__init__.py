"""The pages of annotation, one module per screen."""
