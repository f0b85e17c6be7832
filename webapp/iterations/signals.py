"""Sent inside the transaction of the move. Layers above listen, so that iterations need not know them."""

from django.dispatch import Signal

# kwargs: iteration (Iteration, already in its new stage), left (Stage)
stage_left = Signal()

# kwargs: iteration (Iteration, about to have its challenger promoted). A receiver returns reasons to hold it.
weighing = Signal()

# kwargs: iteration (Iteration, its decision written)
decided = Signal()

# kwargs: iteration (Iteration, its status already failed), why (str)
failed = Signal()
