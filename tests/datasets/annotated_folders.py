"""Folders as people download them: Flickr30k Entities, Visual Genome, photos of one colour, features of given boxes."""

import base64
import json

import numpy as np
from PIL import Image as Pillow


def photo(path, size=(40, 30)):
    path.parent.mkdir(parents=True, exist_ok=True)
    Pillow.new("RGB", size, (90, 50, 200)).save(path)


def boxed(corners, *names):
    """Return an <object> with these chains; corners as in the file, counted from 1."""
    named = "".join(f"<name>{name}</name>" for name in names)
    tags = ("xmin", "ymin", "xmax", "ymax")
    inner = "".join(f"<{tag}>{number}</{tag}>" for tag, number in zip(tags, corners, strict=True))
    return f"<object>{named}<bndbox>{inner}</bndbox></object>"


def unboxed(*names, scene=0, nobndbox=1):
    named = "".join(f"<name>{name}</name>" for name in names)
    return f"<object>{named}<scene>{scene}</scene><nobndbox>{nobndbox}</nobndbox></object>"


def annotation(stem, objects, size=(40, 30)):
    width, height = size
    return (
        f"<annotation><filename>{stem}.jpg</filename><size><width>{width}</width><height>{height}</height>"
        f"<depth>3</depth></size>{''.join(objects)}</annotation>"
    )


def entities(folder, stem, lines, objects, size=(40, 30), *, with_photo=True):
    """Write one image of Flickr30k Entities; `objects` are XML, or the whole file as one text."""
    (folder / "Sentences").mkdir(exist_ok=True)
    (folder / "Annotations").mkdir(exist_ok=True)
    (folder / "Sentences" / f"{stem}.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")
    xml = objects if isinstance(objects, str) else annotation(stem, objects, size)
    (folder / "Annotations" / f"{stem}.xml").write_text(xml, encoding="utf-8")
    if with_photo:
        photo(folder / "images" / f"{stem}.jpg", size)


def features(path, found, labels=None):
    """Write a TSV of region features: image id to (size, boxes); the vector of box i holds i + 1 everywhere.

    It has 6 fields; with `labels`, the classes of the boxes by image id, it has 10.
    """
    lines = []
    for image_id, ((width, height), boxes) in found.items():
        corners = np.asarray(boxes, np.float32).reshape(-1, 4)
        vectors = np.repeat(np.arange(1, len(corners) + 1, dtype=np.float32)[:, None], 5, axis=1)
        sides = (width, height)
        if labels:
            kinds = [np.asarray(labels[image_id], np.int64), np.ones(len(corners), np.float32)]
            sides = (height, width, *map(_base64, [*kinds, *kinds]))
        lines.append("\t".join(map(str, [image_id, *sides, len(corners), _base64(corners), _base64(vectors)])) + "\r\n")
    path.write_text("".join(lines), encoding="utf-8", newline="")
    return path


def _base64(array):
    return base64.b64encode(np.ascontiguousarray(array)).decode()


def thing(number, name, box, **more):
    """Return an object record as most files have it; `names=` makes it one with a list."""
    numbers = dict(zip(("x", "y", "w", "h"), box, strict=True))
    record = {"object_id": number, **numbers, "synsets": [f"{name}.n.01"], **more}
    return record if "names" in more else {**record, "name": name}


def region(number, phrase, objects=(), relationships=(), synsets=()):
    return {
        "region_id": number,
        "phrase": phrase,
        "objects": list(objects),
        "relationships": list(relationships),
        "synsets": list(synsets),
        "x": 0,
        "y": 0,
        "width": 9,
        "height": 9,
    }


def entity(phrase, name, synset="", *, shift=0):
    """Return where a phrase has a name, as region graphs say it."""
    start = phrase.lower().index(name.lower()) + shift
    return {
        "entity_idx_start": start,
        "entity_idx_end": start + len(name),
        "entity_name": name,
        "synset_name": synset or f"{name}.n.01",
    }


def genome(folder, objects, regions, relationships=None, *, sizes=None, photos=True):
    """Write Visual Genome's files; each argument is image id to its list."""

    def write(name, key, by_image):
        listed = [{"image_id": image_id, key: records} for image_id, records in by_image.items()]
        (folder / name).write_text(json.dumps(listed), encoding="utf-8")

    write("objects.json", "objects", objects)
    write("region_graphs.json", "regions", regions)
    if relationships is not None:
        write("relationships.json", "relationships", relationships)
    if sizes is not None:
        listed = [{"image_id": image_id, "width": w, "height": h} for image_id, (w, h) in sizes.items()]
        (folder / "image_data.json").write_text(json.dumps(listed), encoding="utf-8")
    for image_id in regions if photos else ():
        photo(folder / "VG_100K" / f"{image_id}.jpg")
