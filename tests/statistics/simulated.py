"""Small tables, given or random, for the tests of statistics."""

import numpy as np

from vlaudit.tables import Table


def table(image, **columns):
    """Return a table with one row per entry of `image`."""
    lists = {name: np.asarray(values).tolist() for name, values in columns.items()}
    rows = zip(*lists.values(), strict=True)
    return Table.of(
        [
            {"unit_id": f"u{i}", "image_id": f"image-{number}", **dict(zip(lists, row, strict=True))}
            for i, (number, row) in enumerate(zip(image, rows, strict=True))
        ]
    )


def shuffled(data, order):
    return Table(data.frame[list(order)], data.planned, data.refused)


def doubled(data):
    """Return the table with every row twice, in the same image."""
    return Table(data.frame[[i for i in range(len(data)) for _ in range(2)]], data.planned, data.refused)


def clustered(rng, images=40, units=5, between=0.15, within=0.1):
    """Draw values around 0.5 with more variance between than within images: image numbers and values."""
    centre = rng.normal(0.5, between, images)
    values = np.repeat(centre, units) + rng.normal(0, within, images * units)
    return np.repeat(np.arange(images), units), np.clip(values, 0, 1)


def covers(found, truth):
    return found.low <= truth <= found.high
