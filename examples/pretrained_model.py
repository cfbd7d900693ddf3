"""Write rows of the rare class with a pretrained model, SmolLM2; takes minutes without a GPU.

Fetch it once with ``imbllm models fetch smollm2``.
"""

from __future__ import annotations

from imbllm_autogluon import ImbLLMOverSampler
from imbllm_autogluon.datasets import load_hypothyroid

X, y = load_hypothyroid()
sampler = ImbLLMOverSampler(sampling_strategy={"hypothyroid": 251}, random_state=0, backbone="smollm2", steps=50)
X_new, y_new = sampler.fit_resample(X, y)

print(X_new[sampler.synthetic_mask_].head())
for step, loss in sampler.report_.held_out_losses["minority"]:
    print(f"held-out loss after {step} steps: {loss:.3f} nats for each value token")
