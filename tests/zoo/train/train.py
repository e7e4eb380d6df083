#!/usr/bin/env python3
"""Trains the small bases under data/trained/ and fine-tunes their children, for real: deltas are gradients, not noise.

    pip install -r requirements.txt && python train.py ../data/trained

Weights are stored in half precision, as hubs usually have them, and fine-tunes start from what is stored. `index.json` says how each
file was made. Takes a few minutes on one core.
"""

import json
import pathlib
import sys

import torch
from models import FAMILIES, data_for, distil, train
from safetensors.torch import load_file, save_file

OUT = pathlib.Path(sys.argv[1])
INDEX = []


def halved(state):
    return {name: t.to(torch.float16) if t.is_floating_point() else t for name, t in state.items()}


def save(name, family, state, base, relation, technique, **params):
    save_file({k: v.contiguous() for k, v in halved(state).items()}, OUT / f"{name}.safetensors")
    INDEX.append(
        {"name": name, "family": family, "base": base, "relation": relation, "technique": technique, "params": params}
    )
    (OUT / "index.json").write_text(json.dumps(INDEX, indent=1) + "\n")
    print(name, file=sys.stderr)


def load(family, name):
    model = FAMILIES[family].create()
    state = load_file(OUT / f"{name}.safetensors")
    model.load_state_dict({k: v.float() if v.is_floating_point() else v for k, v in state.items()})
    return model


def base(family, name, data, steps, seed):
    torch.manual_seed(seed)
    model = train(family, FAMILIES[family].create(), data_for(family, data), steps, 3e-3, seed)
    save(name, family, model.state_dict(), None, "unrelated", "unrelated", data=data, steps=steps, seed=seed)


def tune(family, parent, name, data, steps, rate, seed, technique="full", trains=lambda name: True):
    model = train(family, load(family, parent), data_for(family, data), steps, rate, seed, trains)
    save(name, family, model.state_dict(), parent, "finetune", technique, data=data, steps=steps, rate=rate)


def student(family, parent, name, data, steps, seed):
    torch.manual_seed(seed)
    fresh = FAMILIES[family].create()
    model = distil(family, fresh, load(family, parent), data_for(family, data), steps, 3e-3, seed)
    save(name, family, model.state_dict(), parent, "unrelated", "unrelated", distilled_from=parent)


def recurrent():
    base("recurrent", "recurrent-a", "python", 2500, 5)


def vision():
    base("vision", "vision-a", "upright", 1500, 7)
    base("vision", "vision-b", "upright", 1500, 8)
    tune("vision", "vision-a", "vision-a-rotated", "rotated", 300, 5e-4, 41)
    tune("vision", "vision-a", "vision-a-negative", "negative", 300, 5e-4, 42)
    student("vision", "vision-a", "vision-a-student", "mirrored", 800, 44)


if __name__ == "__main__":
    OUT.mkdir(parents=True, exist_ok=True)
    for family in (vision, recurrent):
        family()
