"""What the registry asks the layers above it."""

from django.dispatch import Signal

# kwargs: project (Project). Each receiver returns the ids of the versions that open work of its layer needs.
# Sent within the transaction that marks weights as removed; an error there keeps all of them.
versions_needed = Signal()
