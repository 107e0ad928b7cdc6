"""Controls: any model with one known defect, made without training.

An audit that passes a control is no evidence about a model. A control changes the inputs or the answers of an adapter,
or its network, and declares the criteria that it must fail. `python -m benchmarks.detection` measures whether it does.
"""

from __future__ import annotations

from dataclasses import dataclass
from fnmatch import fnmatchcase

from vlaudit.errors import UsageError, nearest


@dataclass(frozen=True)
class Control:
    """One control: its defect in words, the criteria that it must fail, and the class that makes it.

    `must_fail` are patterns of criterion ids (FINDING.NAME, as `fnmatch` reads them).
    """

    defect: str
    must_fail: tuple[str, ...]
    made_by: str

    def owns(self, criterion: str) -> bool:
        """Return whether a model with this defect must fail the criterion."""
        return any(fnmatchcase(criterion, pattern.replace("[", "[[]")) for pattern in self.must_fail)


CONTROLS: dict[str, Control] = {
    "blind": Control(
        "reads the image of another sample",
        (
            "text_dominance.image_use*",
            "text_dominance.competence[words]",
            "mirror_skew.competence[sides]",
            "color_bias.competence[colors]",
            "fusion_trend.image_moves_text",
        ),
        "inputs:Blind",
    ),
    "deaf": Control(
        "reads another caption for the match, and none of the words around a hidden word",
        (
            "text_dominance.image_use[match]",
            "text_dominance.competence[match]",
            "mirror_skew.competence[match]",
            "color_bias.competence[match]",
        ),
        "inputs:Deaf",
    ),
    "mirror-blind": Control(
        "reads an image and its mirror image as one of the two",
        ("mirror_skew.side_accuracy", "mirror_skew.mirror_consistency", "mirror_skew.match_side"),
        "inputs:MirrorBlind",
    ),
    "gray": Control(
        "reads every image in grayscale",
        ("color_bias.competence[colors]", "color_bias.competence[recolored]"),
        "inputs:Gray",
    ),
    "side-swapped": Control(
        "exchanges left and right",
        ("mirror_skew.side_accuracy", "mirror_skew.match_side"),
        "answers:SideSwapped",
    ),
    "color-habit": Control(
        "answers red on 30% of the images, of any colour",
        ("color_bias.color_calibration",),
        "answers:ColorHabit",
    ),
    "negated-words": Control(
        "prefers the least probable word",
        ("text_dominance.image_use[word]", "*.competence[words]", "*.competence[sides]", "*.competence[colors]"),
        "answers:NegatedWords",
    ),
    "exchanged-match": Control(
        "takes matches for mismatches",
        ("text_dominance.image_use[match]", "*.competence[match]"),
        "answers:ExchangedMatch",
    ),
    "constant": Control(
        "gives the same answers to every input",
        ("text_dominance.image_use*", "*.competence*", "fusion_trend.image_moves_text"),
        "answers:Constant",
    ),
    "noisy": Control(
        "adds normal noise of 10 nats to the scores of words and of the match",
        ("*.competence[words]", "*.competence[objects]", "*.competence[colors]", "*.competence[places]"),
        "answers:Noisy",
    ),
    "nan": Control(
        "answers NaN on a fifth of the images",
        ("*",),
        "answers:NotNumbers",
    ),
    "shuffled-heads": Control(
        "exchanges its attention heads, differently for each image",
        ("coref_heads.links_above_random[people-*",),
        "answers:ShuffledHeads",
    ),
    "cut-attention": Control(
        "has zeros where the text reads the image",
        ("text_dominance.image_use*", "text_dominance.competence*", "fusion_trend.image_moves_text"),
        "networks:CutAttention",
    ),
    "untrained": Control(
        "has freshly drawn weights",
        ("text_dominance.image_use*", "*.competence*"),
        "networks:Untrained",
    ),
}
"""Controls by name."""


def check_control(option: str, name: str | None) -> str | None:
    """Return the name of a control, or None; `UsageError` for an unknown one."""
    if name is not None and name not in CONTROLS:
        raise UsageError(f"{option} {name}: there is no such control{nearest(name, tuple(CONTROLS))}")
    return name
