"""Word lists for mining captions: the category of each noun, and the contexts in which it names something else."""

from __future__ import annotations


def _listed(words: str) -> frozenset[str]:
    return frozenset(words.split())


PEOPLE = {
    "person": "person people persons",
    "man": "man men guy guys gentleman gentlemen",
    "woman": "woman women lady ladies",
    "boy": "boy boys",
    "girl": "girl girls",
    "child": "child children kid kids toddler toddlers baby babies",
    "player": "player players batter pitcher catcher skateboarder snowboarder skier surfer rider riders",
}

ANIMALS = {
    "bird": "bird birds seagull seagulls duck ducks pigeon pigeons",
    "cat": "cat cats kitten kittens",
    "dog": "dog dogs puppy puppies",
    "horse": "horse horses",
    "sheep": "sheep lamb lambs",
    "cow": "cow cows cattle",
    "elephant": "elephant elephants",
    "bear": "bear bears",
    "zebra": "zebra zebras",
    "giraffe": "giraffe giraffes",
}

VEHICLES = {
    "bicycle": "bicycle bicycles bike bikes",
    "car": "car cars taxi taxis",
    "motorcycle": "motorcycle motorcycles motorbike motorbikes",
    "airplane": "airplane airplanes plane planes",
    "bus": "bus buses",
    "train": "train trains",
    "truck": "truck trucks",
    "boat": "boat boats sailboat sailboats",
}

OBJECTS = {
    "bench": "bench benches",
    "backpack": "backpack backpacks",
    "umbrella": "umbrella umbrellas",
    "handbag": "handbag handbags purse purses",
    "tie": "tie necktie",
    "suitcase": "suitcase suitcases",
    "frisbee": "frisbee frisbees",
    "skis": "skis",
    "snowboard": "snowboard snowboards",
    "sports ball": "ball balls",
    "kite": "kite kites",
    "skateboard": "skateboard skateboards",
    "surfboard": "surfboard surfboards",
    "tennis racket": "racket rackets racquet racquets",
    "bottle": "bottle bottles",
    "cup": "cup cups mug mugs",
    "fork": "fork forks",
    "knife": "knife knives",
    "spoon": "spoon spoons",
    "bowl": "bowl bowls",
    "banana": "banana bananas",
    "apple": "apple apples",
    "sandwich": "sandwich sandwiches",
    "broccoli": "broccoli",
    "carrot": "carrot carrots",
    "pizza": "pizza pizzas",
    "donut": "donut donuts doughnut doughnuts",
    "cake": "cake cakes",
    "chair": "chair chairs",
    "couch": "couch couches sofa sofas",
    "bed": "bed beds",
    "dining table": "table tables",
    "toilet": "toilet toilets",
    "tv": "tv television televisions",
    "laptop": "laptop laptops",
    "keyboard": "keyboard keyboards",
    "cell phone": "phone phones cellphone cellphones",
    "microwave": "microwave microwaves",
    "oven": "oven ovens",
    "toaster": "toaster toasters",
    "sink": "sink sinks",
    "refrigerator": "refrigerator refrigerators fridge fridges",
    "book": "book books",
    "clock": "clock clocks",
    "vase": "vase vases",
    "scissors": "scissors",
    "toothbrush": "toothbrush toothbrushes",
}
"""One-word names of COCO's categories, and common synonyms. Excluded are words that mostly have another meaning in
captions (orange, mouse, bat, glass, plant, sign, light, remote, glove)."""

NOUN_CLASSES = {"person": PEOPLE, "animal": ANIMALS, "vehicle": VEHICLES, "object": OBJECTS}

CATEGORY = {
    word: "person" if kind == "person" else category
    for kind, classes in NOUN_CLASSES.items()
    for category, words in classes.items()
    for word in words.split()
}
"""COCO category by noun, for linking a word to the boxes of `instances_*.json`."""

KIND = {word: kind for kind, classes in NOUN_CLASSES.items() for line in classes.values() for word in line.split()}
"""Slot kind by noun."""

COMPOUND_HEADS = _listed(
    "tower towers station stations stop stops track tracks yard depot terminal engine park lot house box boxes slice "
    "slices paper seat lid tank brush bowl stand shop store show food trailer ride case rack court field door doors "
    "window windows wheel tire room cage pen collar leash costume statue sculpture dealership driver conductor player "
    "pilot shelf shelves cover cloth top tops setting frame sheet spread cutter bed sized shaped"
)
"""Heads of compounds: a noun before one of these modifies it ("train station") and names no object itself."""

COMPOUND_MODIFIERS = frozenset({"hot", "teddy", "toy", "stuffed", "ceramic", "plastic", "metal", "stone"})
"""Modifiers after which a noun has another meaning ("hot dog", "teddy bear")."""

COLORED_THINGS = _listed(
    "shirt shirts jacket jackets coat coats dress dresses vest vests hat hats cap caps helmet helmets shorts pants "
    "tie scarf uniform uniforms sweater suit shoes boots gloves towel towels blanket blankets curtain curtains pillow "
    "pillows wall walls tile tiles carpet rug door doors building buildings house fence sign signs cone cones flag "
    "flags balloon balloons flower flowers rose roses tulips paint stripe stripes light lights line lines letters "
    "background sky sunset van vans tractor engine locomotive hydrant hydrants plate plates tray container box boxes "
    "bag bags basket kayak canoe raft tent tabby kitty fur eyes beak hair fish tail wings numbers"
)
"""Nouns, in addition to those of `KIND`, before which "orange" is a colour and not a fruit."""

FRUIT = _listed("banana bananas apple apples carrot carrots broccoli")
"""Fruit and vegetables next to which "orange" may be a fruit."""

PICTURES = _listed(
    "photo photos photograph photographs photography picture pictures image images shot film print portrait drawing "
    "sketch"
)
"""Nouns for pictures: "black and white" before one of these describes the photo, not an object."""

BODY_PARTS = _listed(
    "hand hands arm arms foot feet leg legs shoulder shoulders wrist wrists elbow elbows knee knees ankle ear ears "
    "eye eyes cheek hip thumb finger fingers paw paws wing wings"
)

IRREGULAR = {
    "men": "man",
    "women": "woman",
    "gentlemen": "gentleman",
    "children": "child",
    "people": "person",
    "feet": "foot",
    "teeth": "tooth",
    "mice": "mouse",
    "geese": "goose",
    "knives": "knife",
    "leaves": "leaf",
    "grey": "gray",
    "ridden": "ride",
    "rode": "ride",
    "ate": "eat",
    "eaten": "eat",
    "held": "hold",
    "lay": "lie",
    "lying": "lie",
    "sat": "sit",
    "stood": "stand",
    "wore": "wear",
    "worn": "wear",
}
"""Base forms of irregular word forms."""

COLLECTIVES = _listed(
    "group groups crowd crowds couple pair pairs bunch number lot lots team teams row rows line lines kind kinds type "
    "types piece pieces set sets variety body stack pile two three four five six several some many part"
)
"""Quantity nouns: after one of these and "of", the object follows."""

NO_NOUNS = _listed(
    "a an the this that these those his her its their my our your it they them he she him we us you who what which "
    "something someone somebody one ones other others another each all both some any many several few more most none "
    "two three four five six seven eight nine ten dozen behind front back outdoors outside inside there here up down "
    "young old small little large big long short tall blond blonde dark bright colorful dressed wearing s t"
)
"""Words at the end of a phrase that name no object."""

GARMENTS = _listed(
    "shirt shirts jacket jackets coat coats dress dresses vest vests hat hats cap caps helmet helmets shorts pants "
    "jeans trousers tie ties scarf scarves uniform uniforms sweater sweaters suit suits shoe shoes boot boots sneakers "
    "sandals glove gloves skirt skirts robe robes hoodie apron costume costumes gear clothes clothing outfit outfits "
    "glasses sunglasses goggles belt sock socks sleeve sleeves backpack backpacks"
)

INSTRUMENTS = _listed(
    "guitar guitars drum drums piano pianos violin violins trumpet trumpets flute flutes saxophone harp cello "
    "accordion banjo tuba trombone clarinet"
)

PLACES = _listed(
    "street streets road roads sidewalk beach park field yard room kitchen office building buildings house sky ground "
    "floor wall walls mountain mountains hill snow water ocean sea river lake grass forest city town sand background"
)

BODY = _listed("head heads hair face faces beard mustache nose mouth chin neck tail fur") | BODY_PARTS

TYPE_OF_NOUN = {
    **dict.fromkeys(GARMENTS, "clothing"),
    **dict.fromkeys(INSTRUMENTS, "instruments"),
    **dict.fromkeys(PLACES, "scene"),
    **dict.fromkeys(BODY, "bodyparts"),
    **{
        word: kind
        for kind, classes in (("people", PEOPLE), ("animals", ANIMALS), ("vehicles", VEHICLES))
        for line in classes.values()
        for word in line.split()
    },
    **dict.fromkeys(("van", "vans", "scooter", "scooters", "tractor", "tractors"), "vehicles"),
}
"""Coreference type by noun, for data sets that do not state one; other nouns have the type "other"."""
