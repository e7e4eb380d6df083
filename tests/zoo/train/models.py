"""Small models of two architectures, and the data they are trained on. Everything is seeded; one thread."""

import pathlib
import sys
import sysconfig

import numpy
import torch
from torch import nn

torch.set_num_threads(1)
CONTEXT, VOCABULARY = 64, 128


def corpus():
    """ASCII bytes of Python's standard library."""
    paths = sorted(pathlib.Path(sysconfig.get_path("stdlib")).glob("*.py"))
    values = numpy.frombuffer(b"".join(path.read_bytes() for path in paths), dtype=numpy.uint8)
    return torch.from_numpy(values[values < VOCABULARY - 1].astype(numpy.int64))


def windows(text, batch, generator):
    starts = torch.randint(len(text) - CONTEXT - 1, (batch,), generator=generator)
    return torch.stack([text[start : start + CONTEXT + 1] for start in starts])


class Recurrent:
    """A byte model with one GRU."""

    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.embedding = nn.Embedding(VOCABULARY, 32)
            self.rnn = nn.GRU(32, 96, batch_first=True)
            self.head = nn.Linear(96, VOCABULARY)

        def forward(self, batch):
            return self.head(self.rnn(self.embedding(batch))[0])

    create = Net

    @staticmethod
    def loss(model, data, generator):
        batch = windows(data, 16, generator)
        return nn.functional.cross_entropy(model(batch[:, :-1]).flatten(0, 1), batch[:, 1:].flatten())


class Vision:
    """A convolutional classifier of scikit-learn's handwritten digits (8 by 8)."""

    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            widths = [1, 16, 32, 48]
            self.features = nn.Sequential(
                *[
                    layer
                    for i, o in zip(widths, widths[1:])
                    for layer in (nn.Conv2d(i, o, 3, padding=1), nn.BatchNorm2d(o), nn.ReLU())
                ],
                nn.MaxPool2d(2),
                nn.Flatten(),
            )
            self.hidden = nn.Linear(48 * 16, 64)
            self.classifier = nn.Linear(64, 10)

        def forward(self, images):
            return self.classifier(torch.relu(self.hidden(self.features(images))))

    create = Net

    @staticmethod
    def loss(model, data, generator):
        images, labels = data
        pick = torch.randint(len(images), (64,), generator=generator)
        return nn.functional.cross_entropy(model(images[pick]), labels[pick])

    @staticmethod
    def logits(model, data, generator):
        pick = torch.randint(len(data[0]), (64,), generator=generator)
        return model(data[0][pick])


def digits(name):
    """The digits, upright or changed in a way that a fine-tune must learn."""
    from sklearn.datasets import load_digits

    images, labels = load_digits(return_X_y=True)
    images = torch.tensor(images, dtype=torch.float32).reshape(-1, 1, 8, 8) / 16
    if name == "rotated":
        images = images.rot90(1, (2, 3))
    elif name == "negative":
        images = 1 - images
    elif name == "mirrored":
        images = images.flip(3)
    return images.contiguous(), torch.tensor(labels)


FAMILIES = {"recurrent": Recurrent, "vision": Vision}


def data_for(family, name):
    return digits(name) if family == "vision" else corpus()


def train(family, model, data, steps, rate, seed, trains=lambda name: True):
    """Adam on the parameters that `trains` picks by name; everything else stays bit for bit."""
    generator = torch.Generator().manual_seed(seed)
    torch.manual_seed(seed)
    for name, parameter in model.named_parameters():
        parameter.requires_grad_(trains(name))
    chosen = [parameter for parameter in model.parameters() if parameter.requires_grad]
    optimizer = torch.optim.AdamW(chosen, lr=rate, weight_decay=0.01 if steps > 1000 else 0.0)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, rate, total_steps=steps)
    model.train()
    for step in range(steps):
        loss = FAMILIES[family].loss(model, data, generator)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
        if step % 500 == 0 or step == steps - 1:
            print(f"  step {step}: loss {loss.item():.3f}", file=sys.stderr)
    return model


def distil(family, student, teacher, data, steps, rate, seed):
    """Fits a student to a teacher's outputs; the two share no weight."""
    generator = torch.Generator().manual_seed(seed)
    optimizer = torch.optim.AdamW(student.parameters(), lr=rate)
    teacher.eval()
    student.train()
    for _ in range(steps):
        state = generator.get_state()
        with torch.no_grad():
            target = FAMILIES[family].logits(teacher, data, generator).softmax(-1)
        generator.set_state(state)
        guess = FAMILIES[family].logits(student, data, generator).log_softmax(-1)
        loss = nn.functional.kl_div(guess, target, reduction="batchmean")
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return student
