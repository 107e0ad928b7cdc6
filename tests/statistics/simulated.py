"""Tables made by hand or drawn, for the tests of statistics."""

import numpy as np

from vlaudit.tables import Table


def table(image, **columns):
    """Return a table with one row for each entry of `image`."""
    listed = {name: np.asarray(values).tolist() for name, values in columns.items()}
    rows = zip(*listed.values(), strict=True)
    return Table.of(
        [
            {"unit_id": f"u{i}", "image_id": f"image-{which}", **dict(zip(listed, row, strict=True))}
            for i, (which, row) in enumerate(zip(image, rows, strict=True))
        ]
    )


def shuffled(made, order):
    return Table(made.frame[list(order)], made.planned, made.refused)


def doubled(made):
    """Return the table with every row twice, in the same image."""
    return Table(made.frame[[i for i in range(len(made)) for _ in range(2)]], made.planned, made.refused)


def clustered(rng, images=40, each=5, spread=0.15, within=0.1):
    """Draw values around 0.5 whose image matters more than their unit: (images * each,), and the images."""
    centre = rng.normal(0.5, spread, images)
    values = np.repeat(centre, each) + rng.normal(0, within, images * each)
    return np.repeat(np.arange(images), each), np.clip(values, 0, 1)


def covers(found, truth):
    return found.low <= truth <= found.high
