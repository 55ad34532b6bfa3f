"""The sections of a recipe: every setting of a model and of its training, typed and described.

A recipe is a YAML file of these sections; :mod:`asr.config.loading` reads it. A setting that it
leaves out has the default given here. `asr recipe keys` prints all of them. Those of the data
stand in :mod:`asr.config.data`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, ValidationInfo, field_validator

from asr.config.data import AugmentConfig, DataConfig
from asr.config.section import (
    Channels,
    Dropout,
    Epochs,
    Fraction,
    Layer,
    Natural,
    Positive,
    Seconds,
    Section,
    Steps,
    Unit,
    Weight,
)

UnitKind = Literal["characters", "bpe", "phones"]
HeadName = Literal["main", "intermediate"]
OptimizerName = Literal["adamw", "muon"]


class UnitsConfig(Section):
    """The output units of the model."""

    kind: UnitKind = Field("characters", description="Units of the main head.")
    intermediate: UnitKind | None = Field(
        None, description="Units of the intermediate head; by default those of the main head."
    )
    size: Annotated[Positive, Unit("units")] = Field(
        128, description="Number of BPE units to learn, where the kind is bpe."
    )


class FrontEndConfig(Section):
    """Convolutions over time and mel bins, each with stride 2 in both."""

    channels: tuple[Channels, ...] = Field(
        (32, 32), min_length=1, description="Output channels of each convolution."
    )


class EncoderConfig(Section):
    """Stacked recurrent layers, each followed by layer normalisation."""

    cell: Literal["lstm", "peephole", "cifg", "gru", "rnn"] = Field(
        "lstm", description="Recurrent cell; asr.acoustic.cells has the equations."
    )
    bidirectional: bool = Field(True, description="Whether each layer runs in both directions.")
    layers: Annotated[Positive, Unit("layers")] = Field(4, description="Recurrent layers.")
    hidden: Annotated[Positive, Unit("cells")] = Field(
        320, description="Width of a layer in each direction."
    )
    stack_after: Layer = Field(
        0,
        description="Layer above which two frames are stacked into one: the layers above run at "
        "half the rate, and their heads emit twice as many frames for each. 0 for never.",
    )
    bottleneck: Annotated[Natural, Unit("channels")] = Field(
        0,
        description="Rank of the input matrices above the first layer, each factorised into two. "
        "0 for full matrices.",
    )
    attention_window: Annotated[Natural, Unit("frames to either side")] = Field(
        0, description="Reach of self-attention between recurrent layers. 0 for no attention."
    )
    dropout: Dropout = Field(
        0.3,
        description="Probability that a channel is dropped for a whole utterance (variational "
        "dropout, Gal and Ghahramani 2016).",
    )

    @field_validator("stack_after")
    @classmethod
    def _has_layers_above(cls, layer: int, info: ValidationInfo) -> int:
        layers: int | None = info.data.get("layers")  # None if it is wrong itself
        if layers and layer >= layers:
            raise ValueError(f"no layer is above it: layers is {layers}")
        return layer


class SpellerConfig(Section):
    """The speller: a bidirectional recurrent layer between the encoder and the main head."""

    inputs: Channels = Field(128, description="Width that the encoder's outputs are projected to.")
    hidden: Annotated[Positive, Unit("cells")] = Field(
        256, description="Width of the layer in each direction."
    )
    code: Channels = Field(
        160, description="Width of the projection that the main head reads for each frame."
    )
    dropout: Dropout = Field(0.1, description="Probability that a channel is dropped.")


class ModelConfig(Section):
    """The acoustic model; kept beside its weights."""

    mel_bins: Annotated[int, Field(ge=8, le=128), Unit("mel bins")] = Field(
        80, description="Log-mel features of a frame."
    )
    front_end: FrontEndConfig = FrontEndConfig()
    encoder: EncoderConfig = EncoderConfig()
    emissions: Annotated[Positive, Unit("emissions a frame")] = Field(
        1,
        description="Frames of log-probabilities for each frame of the front-end: recurrent layers "
        "can run at a lower rate than CTC needs for units as short as characters.",
    )
    intermediate_layer: Layer = Field(
        0,
        description="Encoder layer with a second CTC head (Lee and Watanabe, arXiv 2102.03216). "
        "0 for none.",
    )
    speller: SpellerConfig | None = Field(
        None,
        description="Speller between the encoder and the main head; mostly trained afterwards, by "
        "the recipe's own section speller.",
    )

    @field_validator("intermediate_layer")
    @classmethod
    def _is_a_layer(cls, layer: int, info: ValidationInfo) -> int:
        encoder: EncoderConfig | None = info.data.get("encoder")  # None if it is wrong itself
        if encoder and layer > encoder.layers:
            raise ValueError(f"encoder.layers is {encoder.layers}")
        return layer


WarmUp = Annotated[
    Fraction,
    Field(
        description="Part of the training in which the learning rate rises in a line to its peak; "
        "afterwards it falls along half a cosine (one cycle, Smith 2018)."
    ),
]
CheckpointEvery = Annotated[
    Steps, Field(description="Interval at which the state that --resume goes on from is saved.")
]
BatchSeconds = Annotated[
    Seconds, Field(description="Audio of a batch, padding and second views included.")
]
Optimizer = Annotated[
    OptimizerName,
    Field(
        description="adamw for all weights, or muon for the matrices between hidden layers "
        "(asr.training.optimizers)."
    ),
]
Seed = Annotated[int, Field(description="Seed of all random draws.")]
Device = Annotated[str, Field(description="cpu, cuda, cuda:N, or auto for the first GPU if any.")]
PRECISION = "Precision of the forward pass; auto for the fastest that the device trains an LSTM in."


class OptimizerConfig(Section):
    """Optimisation settings of every training."""

    peak_rate: Annotated[float, Field(gt=0)] = Field(
        2e-3, description="Highest learning rate of the cycle."
    )
    warm_up: WarmUp = 0.05
    weight_decay: Weight = Field(
        1e-2, description="Decoupled weight decay of matrices (Loshchilov and Hutter 2019)."
    )
    clip_norm: Annotated[float, Field(gt=0)] = Field(
        1.0, description="Norm of the gradient of all weights above which it is scaled down."
    )
    checkpoint_every: CheckpointEvery = 500


class AveragedOptimizerConfig(OptimizerConfig):
    """Optimisation settings of the acoustic model and of the speller, which average weights."""

    optimizer: Optimizer = "adamw"
    batch_seconds: BatchSeconds = 160.0
    average_decay: Annotated[float, Field(ge=0, lt=1)] = Field(
        0.998,
        description="Decay per step of the exponential moving average of the weights, which is "
        "the model that is kept.",
    )


class TrainConfig(AveragedOptimizerConfig):
    """Training of the acoustic model."""

    epochs: Epochs = Field(40, description="Passes over the training data.")
    patience: Annotated[Natural, Unit("epochs")] = Field(
        0,
        description="Epochs without fewer word errors on dev after which training ends early. 0 "
        "for never.",
    )
    warm_up: WarmUp = 0.1
    intermediate_weight: Fraction = Field(
        0.3, description="Weight of the intermediate head's loss; the main head's is the rest."
    )
    consistency_weight: Weight = Field(
        0.0,
        description="Weight of the consistency loss between two masked views of each utterance "
        "(CR-CTC, Yao et al., arXiv 2410.05101). 0 for one view.",
    )
    consistency_start: Fraction = Field(
        0.5,
        description="Part of the epochs before the consistency loss sets in: from step 0 it makes "
        "a new model collapse to blank.",
    )
    denominator_weight: Fraction = Field(
        0.0,
        description="Weight of the denominator, a phone or character language model's sum over "
        "all sequences: 1 is CTC-CRF, 0 is CTC (asr.training.denominator).",
    )
    denominator_head: HeadName = Field("main", description="Head that the denominator applies to.")
    short_first: bool = Field(
        True, description="Whether the first epoch goes from short utterances to long ones."
    )
    max_bad_steps: Annotated[Positive, Unit("steps in a row")] = Field(
        20, description="Steps without a finite loss and gradient that end a training as diverged."
    )
    checkpoint_every: CheckpointEvery = 200
    precision: Literal["auto", "float32", "bfloat16", "float16"] = Field(
        "auto", description=PRECISION
    )
    device: Device = "auto"
    workers: Annotated[Natural | Literal["auto"], Unit("processes")] = Field(
        "auto",
        description="Processes that prepare batches; auto for none on a CPU, and beside a GPU all "
        "cores but two.",
    )


class SpellerRecipe(AveragedOptimizerConfig):
    """Training of a speller, which replaces the main head of a trained model."""

    shape: SpellerConfig = SpellerConfig()
    bottleneck: Annotated[Natural, Unit("channels")] = Field(
        0,
        description="Rank that the encoder's input matrices are reduced to (truncated SVD). 0 to "
        "keep them.",
    )
    units: Annotated[Positive, Unit("units")] = Field(
        1000, description="BPE units of the main head, learned from the texts."
    )
    augment: AugmentConfig = AugmentConfig()
    versions: Positive = Field(
        3, description="Augmented versions of each recording that the encoder encodes."
    )
    text: Fraction = Field(
        0.7, description="Part of the examples synthesised from text; the rest are recordings."
    )
    longest: Annotated[int, Field(ge=2, le=9), Unit("units")] = Field(
        8, description="Longest segment of a recording in a synthesised example."
    )
    steps: Steps = Field(20_000, description="Updates of the weights.")
    optimizer: Optimizer = "muon"
    checkpoint_every: CheckpointEvery = 1000
    seed: Seed = 1


class RecurrentConfig(OptimizerConfig):
    """An LSTM language model over BPE units, and its training."""

    units: Annotated[int, Field(gt=0, lt=1 << 16), Unit("units")] = Field(
        2000, description="BPE units, learned from the texts."
    )
    hidden: Annotated[Positive, Unit("cells")] = Field(512, description="Width of a layer.")
    layers: Annotated[Positive, Unit("layers")] = Field(2, description="LSTM layers.")
    dropout: Dropout = Field(0.0, description="Probability that an activation is dropped.")
    epochs: Epochs = Field(
        1, description="Passes over the texts; tens of millions of words need no second one."
    )
    batch_units: Annotated[Positive, Unit("units")] = Field(
        8192, description="Size of a batch, padding included."
    )
    seed: Seed = 1
    precision: Literal["auto", "float32", "bfloat16"] = Field("auto", description=PRECISION)
    device: Device = "auto"


class LanguageModelConfig(Section):
    """The language models that `asr run --text` trains on texts and training transcripts."""

    order: Annotated[Positive, Unit("words")] = Field(
        3, description="Order of the n-gram model: 3 for trigrams."
    )
    vocabulary: Annotated[Positive, Unit("words")] = Field(
        80_000, description="Size of the vocabulary, the most frequent words."
    )
    max_size: Annotated[float, Field(gt=0), Unit("MB")] = Field(
        12.0, description="Size that the n-gram model is pruned to."
    )
    head: HeadName = Field(
        "main", description="Head of the acoustic model that the beam search decodes."
    )
    readings: Annotated[Natural, Unit("hypotheses")] = Field(
        0,
        description="Length of the n-best list that a second pass rescores, by the recurrent model "
        "or else by the acoustic model's other head. 0 for no second pass.",
    )
    recurrent: RecurrentConfig | None = Field(
        None, description="LSTM language model of the second pass."
    )

    @field_validator("readings")
    @classmethod
    def _are_several(cls, readings: int) -> int:
        if readings == 1:
            raise ValueError("one reading leaves nothing to weigh: 0 for no second pass, or 2 on")
        return readings


class Recipe(Section):
    """Everything that one training needs to be repeated."""

    name: Annotated[str, Field(pattern=r"^[\w.-]+$")] = Field(
        description="Name of the recipe, which stands for {name} in output."
    )
    output: str = Field(
        "runs/{name}", description="Folder that the run keeps its model and its state in."
    )
    seed: Seed = 1
    init_from: str | None = Field(
        None, description="Model whose weights training starts from, where name and shape agree."
    )
    before: Recipe | None = Field(
        None,
        description="Stage that is trained before this one, which starts from its weights: "
        "settings that replace some of this stage's, or the name of another recipe in the same "
        "folder, which is taken as it is.",
    )
    data: DataConfig
    units: UnitsConfig = UnitsConfig()
    model: ModelConfig = ModelConfig()
    augment: AugmentConfig = AugmentConfig()
    train: TrainConfig = TrainConfig()
    speller: SpellerRecipe | None = Field(
        None, description="Speller that `asr run --text` trains after all stages."
    )
    lm: LanguageModelConfig = LanguageModelConfig()

    @field_validator("output")
    @classmethod
    def _is_filled_in(cls, output: str) -> str:
        try:
            output.format(name="name")
        except (ValueError, LookupError, AttributeError, TypeError) as error:
            raise ValueError("braces stand for nothing but {name}") from error
        return output

    @field_validator("train")
    @classmethod
    def _has_the_head(cls, train: TrainConfig, info: ValidationInfo) -> TrainConfig:
        model: ModelConfig | None = info.data.get("model")  # None if it is wrong itself
        lacking = model and not model.intermediate_layer
        if train.denominator_weight and train.denominator_head == "intermediate" and lacking:
            raise ValueError(
                "its denominator_head is intermediate, which model.intermediate_layer=0 leaves out"
            )
        return train

    @property
    def folder(self) -> Path:
        return Path(self.output.format(name=self.name))

    @property
    def stages(self) -> tuple[Recipe, ...]:
        """The recipes that are trained one after the other, this one last."""
        return (*(self.before.stages if self.before else ()), self)
