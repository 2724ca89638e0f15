"""Train the chooser of surfaces: a small network that scores a pixel's candidates by their clues.

    python training/train_chooser.py CHOICES OUT.json [--fold 0] [--steps 3000] [--seed 0]

CHOICES is what choices.py wrote. The loss is the negative logarithm of the share, among the scores'
exponentials, of those candidates that are within 1 px of the truth (half of it within 2 px). Every
step sees as many pixels of every scene family. Prints how often the best candidate is within 2 px,
on families left out, and how often the pixel's own is.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np
import torch
from families import FOLDS, family_of, left_out

HIDDEN = 12
OF_FAMILY = 160
"""Pixels of each family in a step."""
RATE = 4e-3

Pixels = tuple[np.ndarray, np.ndarray]
"""(n, 5, 18) clues and (n, 5) errors."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("choices", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--fold", type=int, choices=range(len(FOLDS)))
    parser.add_argument("--steps", type=int, default=3000)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    torch.manual_seed(arguments.seed)
    torch.set_num_threads(1)
    hidden = left_out(arguments.fold)
    seen: dict[str, list[Pixels]] = {}
    unseen: dict[str, Pixels] = {}
    for path in sorted(arguments.choices.glob("*.npz")):
        name, pixels = path.stem.rsplit("-", 1)[0], load(path)
        if name in hidden:
            unseen[path.stem] = pixels
        else:
            seen.setdefault(family_of(name), []).append(pixels)
    network = trained(list(seen.values()), arguments.steps, np.random.default_rng(arguments.seed))
    layers = [[[round(float(v), 4) for v in row] for row in part] for part in network]
    arguments.out.write_text(json.dumps({"layers": layers}) + "\n")
    for name, pixels in unseen.items():
        report(name, network, pixels)


def load(path: Path) -> Pixels:
    data = np.load(path)
    return data["clues"].astype(np.float32), data["error"].astype(np.float32)


def trained(families: list[list[Pixels]], steps: int, rng: np.random.Generator) -> list[np.ndarray]:
    """Weights as the native module takes them: (19, 12), (13, 12), (1, 12), offsets last."""
    clues = np.concatenate([pixels[0] for family in families for pixels in family])
    real = clues[..., 0] > 0
    middle, spread = clues[real].mean(axis=0), clues[real].std(axis=0) + 1e-3
    del clues
    network = torch.nn.Sequential(
        torch.nn.Linear(len(middle), HIDDEN),
        torch.nn.ReLU(),
        torch.nn.Linear(HIDDEN, HIDDEN),
        torch.nn.ReLU(),
        torch.nn.Linear(HIDDEN, 1, bias=False),
    )
    optimizer = torch.optim.Adam(network.parameters(), RATE)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    recent = 0.0
    for step in range(steps):
        drawn = [draw(family, rng) for family in families]
        x = torch.from_numpy((np.concatenate([d[0] for d in drawn]) - middle) / spread)
        error = torch.from_numpy(np.concatenate([d[1] for d in drawn]))
        loss = -torch.log((shares(network(x)[..., 0], error) * worth(error)).sum(1) + 1e-6).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
        recent += (float(loss.detach()) - recent) / min(step + 1, 200)
        if step % 1000 == 999:
            print(f"step {step + 1}: loss {recent:.4f}", flush=True)
    first, second, last = (layer for layer in network if isinstance(layer, torch.nn.Linear))
    weight = first.weight.detach().numpy() / spread
    offset = first.bias.detach().numpy() - weight @ middle
    return [
        np.vstack([weight.T, offset]),
        np.vstack([second.weight.detach().numpy().T, second.bias.detach().numpy()]),
        last.weight.detach().numpy(),
    ]


def draw(family: list[Pixels], rng: np.random.Generator) -> Pixels:
    """Some pixels of a family, from four of its maps."""
    maps = [family[k] for k in rng.integers(len(family), size=4)]
    places = [rng.integers(len(error), size=OF_FAMILY // 4) for _, error in maps]
    clues = [pixels[0][at] for pixels, at in zip(maps, places, strict=True)]
    return np.concatenate(clues), np.concatenate(
        [pixels[1][at] for pixels, at in zip(maps, places, strict=True)]
    )


def shares(scores: torch.Tensor, error: torch.Tensor) -> torch.Tensor:
    """Of each candidate among the exponentials; none for one that is not there."""
    return torch.softmax(scores.masked_fill(torch.isnan(error), -1e9), dim=1)


def worth(error: torch.Tensor) -> torch.Tensor:
    return (error <= 1).float() + 0.5 * ((error > 1) & (error <= 2)).float()


def report(name: str, network: list[np.ndarray], pixels: Pixels) -> None:
    clues, error = pixels
    first, second, last = network
    hidden = np.maximum(clues @ first[:-1] + first[-1], 0)
    hidden = np.maximum(hidden @ second[:-1] + second[-1], 0)
    scores = np.where(np.isnan(error), -np.inf, hidden @ last[0])
    best = error[np.arange(len(error)), scores.argmax(axis=1)]
    print(
        f"{name:24} within 2 px {np.mean(best <= 2):6.1%}, its own {np.mean(error[:, 0] <= 2):6.1%}"
    )


if __name__ == "__main__":
    main()
