"""Recipes: every setting of a model and of its training, typed, with its default and its unit.

A recipe is a YAML file of these sections; what it leaves out takes the default given here. On the
command line ``section.key=value`` comes after the file and wins.
"""

from __future__ import annotations

import copy
import difflib
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

import yaml
from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    ValidationInfo,
    field_validator,
)

from asr.errors import AsrError
from asr.runtime.files import why_unreadable

Positive = Annotated[int, Field(gt=0)]
Natural = Annotated[int, Field(ge=0)]
Fraction = Annotated[float, Field(ge=0, le=1)]
Seconds = Annotated[float, Field(gt=0)]
UnitKind = Literal["characters", "bpe", "phones"]
HeadName = Literal["main", "intermediate"]
OptimizerName = Literal["adamw", "muon"]


class Section(BaseModel):
    """A group of settings: immutable, and closed to keys it doesn't know."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class DataConfig(Section):
    """Which manifests are read: a subset's name (``manifests/NAME.jsonl``) or a .jsonl path."""

    manifests: str = "data/manifests"  # where prepare writes and names are looked for
    cache: str = "data/cache"  # decoded audio, 32 kB a second; made when first needed
    train: tuple[str, ...] = Field(min_length=1)
    dev: tuple[str, ...] = Field(min_length=1)
    test: tuple[str, ...] = ()  # what `asr run` scores at the end
    # On which set the weights are tuned that score a test set; by default on the first of dev.
    tune: dict[str, str] = {}
    # Sets that are tables of transcripts, such as Common Voice's: each with its file, as seen from
    # the folder that holds it and its audio.
    tables: dict[str, str] = {}
    dev_utterances: Positive = 250  # an evenly spaced part of dev scored after every epoch
    max_seconds: Seconds = 36.0  # longer training utterances are reported and left out


class UnitsConfig(Section):
    """What the model emits."""

    kind: UnitKind = "characters"
    intermediate: UnitKind | None = None  # of the intermediate head; the same by default
    size: Positive = 128  # of bpe


class FrontEndConfig(Section):
    """Convolutions over time and mel bins, each with stride 2 in both."""

    channels: tuple[Positive, ...] = Field(default=(32, 32), min_length=1)


class EncoderConfig(Section):
    """Stacked recurrent layers, each followed by layer normalisation."""

    cell: Literal["lstm", "peephole", "cifg", "gru", "rnn"] = (
        "lstm"  # asr.acoustic.cells has the equations
    )
    bidirectional: bool = True
    layers: Positive = 4
    hidden: Positive = 320  # per direction
    # After this layer, counted from 1, two frames are stacked into one: the layers above read half
    # as many, and the heads there emit twice as many for each. 0 for never.
    stack_after: Natural = 0
    # What a layer above the first reads goes through so many channels, fewer than the layer below
    # gives: two small matrices for a large one. 0 for the large one.
    bottleneck: Natural = 0
    # Between recurrent layers, self-attention to so many frames to either side; 0 for none.
    attention_window: Natural = 0
    # Of whole channels for a whole utterance (variational dropout, Gal and Ghahramani 2016).
    dropout: Annotated[float, Field(ge=0, lt=1)] = 0.3

    @field_validator("stack_after")
    @classmethod
    def _has_layers_above(cls, layer: int, info: ValidationInfo) -> int:
        layers: int | None = info.data.get("layers")  # None if it is wrong itself
        if layers and layer >= layers:
            raise ValueError(f"no layer is above it: layers is {layers}")
        return layer


class SpellerConfig(Section):
    """A recurrent layer of the main head's own, above those of the encoder."""

    inputs: Positive = 128  # what the encoder says is narrowed to so many channels
    hidden: Positive = 256  # per direction
    code: Positive = 160  # what it gives for a frame; a head tells the units from it
    dropout: Annotated[float, Field(ge=0, lt=1)] = 0.1


class ModelConfig(Section):
    """The acoustic model; kept beside its weights."""

    mel_bins: Annotated[int, Field(ge=8, le=128)] = 80
    front_end: FrontEndConfig = FrontEndConfig()
    encoder: EncoderConfig = EncoderConfig()
    # Frames of log-probabilities for each frame of the front-end: the recurrent layers can run at a
    # lower rate than CTC needs for units as short as characters.
    emissions: Positive = 1
    # A second CTC head on a layer counted from 1 (Lee and Watanabe, arXiv 2102.03216); 0 for none.
    intermediate_layer: Natural = 0
    # Between the encoder and the main head; most often trained behind all else (SpellerRecipe).
    speller: SpellerConfig | None = None

    @field_validator("intermediate_layer")
    @classmethod
    def _is_a_layer(cls, layer: int, info: ValidationInfo) -> int:
        encoder: EncoderConfig | None = info.data.get("encoder")  # None if it is wrong itself
        if encoder and layer > encoder.layers:
            raise ValueError(f"encoder.layers is {encoder.layers}")
        return layer


class AugmentConfig(Section):
    """What training hears differently every epoch."""

    speeds: tuple[Annotated[float, Field(ge=0.5, le=2)], ...] = Field((0.9, 1.0, 1.1), min_length=1)
    # The voice's frequencies are stretched by up to this part, up or down, as if the vocal tract
    # were shorter or longer (Jaitly and Hinton 2013).
    vocal_tract: Annotated[float, Field(ge=0, le=0.3)] = 0.0
    # Parts of the utterances that are heard through another channel (asr.audio.degradation); an
    # utterance may have several.
    noise: Fraction = 0.0  # white to brown, 5 to 30 dB below the speech
    echo: Fraction = 0.0  # of a room with 0.2 to 0.8 s of reverberation
    telephone: Fraction = 0.0
    # SpecAugment (Park et al. 2019): masked frames and mel bins take the utterance's mean.
    frequency_masks: Natural = 2
    frequency_width: Natural = 27  # mel bins at most
    time_masks_per_second: Annotated[float, Field(ge=0)] = 0.5
    time_width: Natural = 40  # frames of 10 ms at most


class TrainConfig(Section):
    """How the weights are found."""

    epochs: Positive = 40
    patience: Natural = 0  # epochs without fewer wrong words on dev that end it early; 0: none do
    optimizer: OptimizerName = "adamw"  # asr.training.optimizers says what they do
    batch_seconds: Seconds = 160.0  # audio in a batch, padding and second views included
    peak_rate: Annotated[float, Field(gt=0)] = 2e-3
    warm_up: Fraction = 0.1  # the part of training in which the rate rises; then half a cosine
    weight_decay: Annotated[float, Field(ge=0)] = 1e-2
    clip_norm: Annotated[float, Field(gt=0)] = 1.0
    intermediate_weight: Fraction = 0.3  # of the intermediate head's loss, if there is one
    # CR-CTC (Yao et al., arXiv 2410.05101): above 0, every utterance stands twice in its batch,
    # masked in two ways, and what the two are heard as is drawn together with this weight. From
    # the start it would hold the model at what is the same for all audio: hence only behind this
    # part of the epochs.
    consistency_weight: Annotated[float, Field(ge=0)] = 0.0
    consistency_start: Fraction = 0.5
    # Above 0, the transcript must be likelier than what else a language model of units thinks well
    # of, in the head that a search with a language model is to read: 1 is CTC-CRF, what is less
    # mixes it with CTC (asr.training.denominator).
    denominator_weight: Fraction = 0.0
    denominator_head: HeadName = "main"
    average_decay: Annotated[float, Field(ge=0, lt=1)] = 0.998  # of the averaged weights, per step
    short_first: bool = True  # the first epoch goes from short utterances to long ones
    max_bad_steps: Positive = 20  # this many non-finite steps in a row stop the run
    checkpoint_every: Positive = 200  # steps
    precision: Literal["auto", "float32", "bfloat16", "float16"] = "auto"
    device: str = "auto"
    # Processes that make batches: none on the CPU, and beside a GPU all cores but two.
    workers: Natural | Literal["auto"] = "auto"


class SpellerRecipe(Section):
    """How a speller is made that takes the place of the main head of a trained model."""

    shape: SpellerConfig = SpellerConfig()
    bottleneck: Natural = 0  # the encoder's is set to this, as near to what it was as can be
    units: Positive = 1000  # of bpe, learned from the texts
    augment: AugmentConfig = AugmentConfig()  # of the recordings, as the encoder hears them
    versions: Positive = 3  # in which each recording is heard
    text: Fraction = 0.7  # of what it learns from; the rest are recordings
    longest: Annotated[int, Field(ge=2, le=9)] = 8  # stretch of a recording in a text, in units
    steps: Positive = 20_000
    optimizer: OptimizerName = "muon"
    batch_seconds: Seconds = 160.0
    peak_rate: Annotated[float, Field(gt=0)] = 2e-3
    warm_up: Fraction = 0.05
    weight_decay: Annotated[float, Field(ge=0)] = 1e-2
    clip_norm: Annotated[float, Field(gt=0)] = 1.0
    average_decay: Annotated[float, Field(ge=0, lt=1)] = 0.998
    checkpoint_every: Positive = 1000  # steps
    seed: int = 1


class RecurrentConfig(Section):
    """A recurrent language model over BPE units, and how its weights are found."""

    units: Annotated[int, Field(gt=0, lt=1 << 16)] = 2000
    hidden: Positive = 512
    layers: Positive = 2
    dropout: Annotated[float, Field(ge=0, lt=1)] = 0.0
    epochs: Positive = 1  # tens of millions of words leave little to learn by heart
    batch_units: Positive = 8192  # padding included
    peak_rate: Annotated[float, Field(gt=0)] = 2e-3
    warm_up: Fraction = 0.05
    weight_decay: Annotated[float, Field(ge=0)] = 1e-2
    clip_norm: Annotated[float, Field(gt=0)] = 1.0
    checkpoint_every: Positive = 500  # steps
    seed: int = 1
    precision: Literal["auto", "float32", "bfloat16"] = "auto"
    device: str = "auto"


class LanguageModelConfig(Section):
    """The language model that `asr run --text` makes of texts and the training transcripts."""

    order: Positive = 3
    vocabulary: Positive = 80_000  # the most frequent words
    max_size: Annotated[float, Field(gt=0)] = 12.0  # MB
    head: HeadName = "main"  # of the model, whose units it is searched with
    # So many readings of the search are weighed again in a second pass: by a recurrent model of the
    # same texts, if there is to be one, or else by the model's other head, if it has two.
    readings: Natural = 0
    recurrent: RecurrentConfig | None = None

    @field_validator("readings")
    @classmethod
    def _are_several(cls, readings: int) -> int:
        if readings == 1:
            raise ValueError("one reading leaves nothing to weigh: 0 for no second pass, or 2 on")
        return readings


class Recipe(Section):
    """Everything that one training needs to be repeated."""

    name: Annotated[str, Field(pattern=r"^[\w.-]+$")]
    output: str = "runs/{name}"  # where the run keeps its model and its state
    seed: int = 1
    init_from: str | None = None  # a model to take the first weights from
    # The stage that is trained before this one, which begins with its weights. A file gives either
    # settings, to which it adds all those of this stage that they don't replace, or the name of
    # another recipe in the same folder, which stays as it is.
    before: Recipe | None = None
    data: DataConfig
    units: UnitsConfig = UnitsConfig()
    model: ModelConfig = ModelConfig()
    augment: AugmentConfig = AugmentConfig()
    train: TrainConfig = TrainConfig()
    speller: SpellerRecipe | None = None  # made by `asr run` behind all stages, if there is text
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


SectionType = TypeVar("SectionType", bound=Section)


def load_recipe(path: str | Path, overrides: list[str] | None = None) -> Recipe:
    """Reads a recipe and applies ``section.key=value`` overrides, whose values are YAML.

    They hold for its earlier stages too, except those that begin with ``before.``, which hold for
    these alone.

    Raises:
        AsrError: the file can't be read, or a key or a value is wrong; it names the key, and the
            nearest known one.
    """
    return validate(Recipe, _read_stages(Path(path), overrides or []), f"the recipe {path}")


def apply_settings(section: type[SectionType], settings: Sequence[str], source: str) -> SectionType:
    """A section with ``key=value`` settings instead of its defaults; ``source`` is for errors."""
    given: dict[str, Any] = {}
    for setting in settings:
        _override(given, setting)
    return validate(section, given, source)


def read_yaml(path: str | Path) -> dict[str, Any]:
    """Reads a YAML file that holds a mapping."""
    try:
        settings = yaml.safe_load(Path(path).read_text(encoding="utf-8"))
    except OSError as error:
        raise AsrError(f"the file {path} {why_unreadable(error)}") from error
    except UnicodeDecodeError as error:
        raise AsrError(f"the file {path} is not UTF-8 text") from error
    except yaml.YAMLError as error:
        problem = " ".join(str(error).split())
        raise AsrError(f"the file {path} is not valid YAML: {problem}") from error
    if not isinstance(settings, dict):
        raise AsrError(f"the file {path} holds no settings (expected keys such as 'name:')")
    return settings


def validate(section: type[SectionType], settings: dict[str, Any], source: str) -> SectionType:
    """Checks ``settings`` against ``section``; ``source`` says in errors where they stand."""
    try:
        return section.model_validate(settings)
    except ValidationError as error:
        raise AsrError("; ".join(_explain(section, e, source) for e in error.errors())) from error


def to_yaml(section: Section) -> str:
    """All settings of ``section``, defaults included, as YAML that can be read back."""
    return yaml.safe_dump(section.model_dump(mode="json"), sort_keys=False)


def _read_stages(path: Path, overrides: list[str], above: tuple[Path, ...] = ()) -> dict[str, Any]:
    """The settings of a recipe's file, ``overrides`` applied, and of the stages before it.

    Args:
        above: the recipes that this one comes before.
    """
    if path in above:
        raise AsrError(f"the recipe {path} comes before itself; change a 'before:'")
    return _with_stages(read_yaml(path), overrides, (*above, path))


def _with_stages(
    settings: dict[str, Any], overrides: list[str], files: tuple[Path, ...]
) -> dict[str, Any]:
    """Applies ``overrides``, and fills in the stage before, or what it inherits."""
    of_before = [o.removeprefix("before.") for o in overrides if o.startswith("before.")]
    for override in overrides:
        if not override.startswith("before."):
            _override(settings, override)
    before = settings.pop("before", {} if of_before else None)
    if isinstance(before, str):
        general = [o for o in overrides if not o.startswith(("before", "output=", "name="))]
        stages = _read_stages(files[-1].parent / before, general + of_before, files)
        return {**settings, "before": stages}
    if not isinstance(before, dict):
        return settings if before is None else {**settings, "before": before}
    general = [o for o in overrides if not o.startswith(("before", "output="))]
    output = settings.get("output", Recipe.model_fields["output"].default)
    inherited = _merged({**settings, "output": f"{output}/before"}, before)
    return {**settings, "before": _with_stages(inherited, general + of_before, files)}


def _merged(below: dict[str, Any], above: dict[str, Any]) -> dict[str, Any]:
    """What is set in ``above``, and else in ``below``."""
    merged = copy.deepcopy(below)
    for key, value in above.items():
        old = merged.get(key)
        if isinstance(old, dict) and isinstance(value, dict):
            merged[key] = _merged(old, value)
        else:
            merged[key] = copy.deepcopy(value)
    return merged


def _override(settings: dict[str, Any], override: str) -> None:
    key, equals, value = override.partition("=")
    if not equals or not key:
        raise AsrError(f"{override!r} is no setting; write section.key=value")
    _assign(settings, key.split("."), _parse_value(value, override), override)


def _parse_value(value: str, override: str) -> Any:
    try:
        return yaml.safe_load(value)
    except yaml.YAMLError as error:
        raise AsrError(f"the value in {override!r} is not valid YAML") from error


def _assign(settings: dict[str, Any], keys: list[str], value: Any, override: str) -> None:
    for key in keys[:-1]:
        settings = settings.setdefault(key, {})
        if not isinstance(settings, dict):
            raise AsrError(f"{override!r} goes below the key {key}, which holds a single value")
    settings[keys[-1]] = value


def _explain(section: type[Section], error: Any, source: str) -> str:
    path = [str(part) for part in error["loc"]]
    key = ".".join(path)
    if error["type"] == "extra_forbidden":
        known = _known_keys(section)
        near = difflib.get_close_matches(key, known, n=1, cutoff=0.4) or [
            name for name in known if name.split(".")[-1] == path[-1]
        ]
        hint = f"; did you mean {near[0]}?" if near else ""
        return f"{source} has an unknown key {key}{hint}"
    if error["type"] == "missing":
        return f"{source} lacks the key {key}"
    message = error["msg"][0].lower() + error["msg"][1:]
    if isinstance(error["input"], dict):  # a section that does not go with another one
        return f"{source} has a wrong section {key}: {message.removeprefix('value error, ')}"
    return f"{source} has a wrong value for {key}: {error['input']!r} ({message})"


def _known_keys(section: type[Section], prefix: str = "") -> list[str]:
    keys = []
    for name, field in section.model_fields.items():
        keys.append(prefix + name)
        if isinstance(field.annotation, type) and issubclass(field.annotation, Section):
            keys += _known_keys(field.annotation, f"{prefix}{name}.")
    return keys
