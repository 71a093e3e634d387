"""Training: curriculum, data, LoRA, the job, and the embedded model's pretraining."""
