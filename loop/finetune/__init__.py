"""What to train: the frozen job a trainer subprocess reads. Trainers themselves live in workers."""

from loop.finetune.job import TrainJob

__all__ = ["TrainJob"]
