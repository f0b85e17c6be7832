"""What to train: objectives, the frozen job a trainer subprocess reads, artifacts. Trainers live in workers."""
