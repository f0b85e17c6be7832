"""Sent after commit. Layers above listen, so that annotate need not know them."""

from django.dispatch import Signal

# kwargs: annotation (Annotation), created (bool: false for a revision)
annotation_submitted = Signal()
