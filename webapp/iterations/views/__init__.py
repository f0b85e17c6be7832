"""The pages of the iterations app: iterations, training runs, two versions side by side."""
