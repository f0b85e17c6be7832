"""Live events. Filled in beside the pages that use them."""
