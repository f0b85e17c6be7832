"""Trainers: LoRA SFT and DPO, each run in a process of its own (`run`), watched by `supervise`."""
