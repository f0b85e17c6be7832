"""What to train: objectives, the frozen job of a run, artifacts. The trainers live in workers."""
