"""LXMERT (Tan and Bansal 2019) for pretraining: two streams with cross-modality layers, and their heads."""

from __future__ import annotations

from jaxtyping import Float
from torch import Tensor, nn

from vlaudit.errors import RequestError
from vlaudit.models.bert_layers import HeadTransform, WordPredictions, draw_weights
from vlaudit.models.lxmert.config import LxmertConfig
from vlaudit.models.lxmert.layers import Backbone
from vlaudit.models.streams.contract import Inputs, Layout, Streams, Wanted
from vlaudit.models.streams.recording import Recorder

PREFIX = "module."
"""Prefix of the published keys: the official training wrapped the network to run on several GPUs."""


ALIASES = {"cls.predictions.decoder.weight": "bert.embeddings.word_embeddings.weight"}
"""Second name -> first name of one tensor; a file may lack the second."""


class Heads(nn.Module):
    """The word head, and the matching head, BERT's `seq_relationship`."""

    def __init__(self, config: LxmertConfig) -> None:
        super().__init__()
        self.predictions = WordPredictions(config)
        self.seq_relationship = nn.Linear(config.width, 2)


class RegionPredictions(nn.Module):
    """Predictions for a region: detector class, attribute, features; they share all but the last linear map."""

    def __init__(self, config: LxmertConfig) -> None:
        super().__init__()
        self.transform = HeadTransform(config)
        self.decoder_dict = nn.ModuleDict(
            {name: nn.Linear(config.width, size) for name, size in config.region_targets.items()}
        )

    def forward(self, hidden: Float[Tensor, "*axes width"], target: str) -> Float[Tensor, "*axes predicted"]:
        """Return the prediction of one target; `RequestError` where the network lacks that head."""
        if target not in self.decoder_dict:
            raise RequestError(f"this LXMERT has no head {target!r} for regions, only {sorted(self.decoder_dict)}")
        predicted: Tensor = self.decoder_dict[target](self.transform(hidden))
        return predicted


class Answers(nn.Module):
    """The question-answering head (Tan and Bansal 2019, section 3.1.3), kept so that a file loads completely."""

    def __init__(self, config: LxmertConfig, answers: int) -> None:
        super().__init__()
        wide = 2 * config.width
        norm = nn.LayerNorm(wide, eps=config.layer_norm_eps)
        self.logit_fc = nn.Sequential(nn.Linear(config.width, wide), nn.GELU(), norm, nn.Linear(wide, answers))

    def forward(self, pooled: Float[Tensor, "batch width"]) -> Float[Tensor, "batch answers"]:
        """Return logits over the answers."""
        logits: Tensor = self.logit_fc(pooled)
        return logits


class Lxmert(nn.Module):
    """LXMERT for pretraining, a `RegionNetwork` whose state dict has the published keys without `module.`.

    It is kept instead of transformers' class for two reasons. Parity: that class renames tensors of
    the official pretraining file, and returns only some of the states and attention that the goldens read. Speed: it
    runs the fused kernel in layers whose attention is not read, where the class has only the plain one. Folders of
    transformers load into it, and a test compares it with the class.

    Where `present` is None, every region is attended, as in the official code, which always has 36. With it, padded
    regions get a probability of exactly zero, equal to the official pass over the real regions alone.
    The official model does not mark hidden regions; `hidden` is not read.
    Call `initialise` before training. There is no dropout.
    """

    def __init__(self, config: LxmertConfig) -> None:
        super().__init__()
        self.config = config
        self.bert = Backbone(config)
        self.cls = Heads(config)
        self.obj_predict_head = RegionPredictions(config) if config.region_targets else None
        self.answer_head = None if config.answers is None else Answers(config, config.answers)
        self.tie()

    @property
    def layout(self) -> Layout:
        """Inputs and readable outputs; cross layers are numbered after the longer stack."""
        config = self.config
        cross = tuple(range(config.first_cross_layer, config.first_cross_layer + config.cross_layers))
        language, relation = tuple(range(config.language_layers)), tuple(range(config.relation_layers))
        after = tuple(number + 1 for number in cross)
        return Layout(
            architecture="two-stream",
            joint_softmax=False,
            attention={
                ("text", "text"): language + cross,
                ("text", "image"): cross,
                ("image", "text"): cross,
                ("image", "image"): relation + cross,
            },
            states={
                "text": (*range(config.language_layers + 1), *after),
                "image": (*range(config.relation_layers + 1), *after),
            },
            heads=config.heads,
            max_length=config.max_length,
            vocabulary_size=config.vocab_size,
            region_width=config.region_width,
            classes=config.classes,
        )

    def forward(self, inputs: Inputs, wanted: Wanted = Wanted()) -> Streams:  # noqa: B008 (frozen)
        """Run a pass; raises `RequestError` without regions and for a caption that is too long."""
        if inputs.features is None or inputs.boxes is None:
            raise RequestError("LXMERT reads regions: features and boxes must be given, got none")
        streams: Streams = self.bert(inputs, inputs.features, inputs.boxes, Recorder(wanted))
        return streams

    def word_logits(self, states: Float[Tensor, "*batch width"]) -> Float[Tensor, "*batch vocabulary"]:
        """Return one logit per word at these text states."""
        logits: Tensor = self.cls.predictions(states)
        return logits

    def match_logits(self, streams: Streams) -> Float[Tensor, "batch 2"]:
        """Return (no match, match), in the published order."""
        logits: Tensor = self.cls.seq_relationship(self.pooled(streams))
        return logits

    def region_logits(self, states: Float[Tensor, "*batch width"]) -> Float[Tensor, "*batch classes"]:
        """Return one logit per detector class at these image states; there is no class for background."""
        logits: Tensor = self._predicted(states, "obj")
        return logits

    def attribute_logits(self, states: Float[Tensor, "*batch width"]) -> Float[Tensor, "*batch attributes"]:
        """Return one logit per attribute at these image states; raises `RequestError` without that head."""
        logits: Tensor = self._predicted(states, "attr")
        return logits

    def region_features(self, states: Float[Tensor, "*batch width"]) -> Float[Tensor, "*batch features"]:
        """Predict the features of the regions at these image states; raises `RequestError` without that head."""
        features: Tensor = self._predicted(states, "feat")
        return features

    def answer_logits(self, streams: Streams) -> Float[Tensor, "batch answers"]:
        """Return one logit per answer to the question in the caption; raises `RequestError` without that head."""
        if self.answer_head is None:
            raise RequestError("this LXMERT has no answer head; load a checkpoint that has one")
        logits: Tensor = self.answer_head(self.pooled(streams))
        return logits

    def _predicted(self, states: Float[Tensor, "*batch width"], target: str) -> Float[Tensor, "*batch predicted"]:
        if self.obj_predict_head is None:
            raise RequestError(f"this LXMERT predicts nothing of regions, so it has no head {target!r}")
        predicted: Tensor = self.obj_predict_head(states, target)
        return predicted

    def pooled(self, streams: Streams) -> Float[Tensor, "batch width"]:
        """Return the input of the matching head: the pooled [CLS]."""
        vectors: Tensor = self.bert.pooler(streams.text)
        return vectors

    def tie(self) -> None:
        """Tie shared tensors again, after loaded tensors were assigned."""
        self.cls.predictions.decoder.weight = self.bert.embeddings.word_embeddings.weight

    def initialise(self, std: float = 0.02) -> None:
        """Initialize the weights for training with torch's generator, as the official code does."""
        draw_weights(self, std)

    def published_state_dict(self) -> dict[str, Tensor]:
        """Return the weights under the published names, which begin with `module.`; `load` reads them."""
        return {PREFIX + name: tensor for name, tensor in self.state_dict().items()}
