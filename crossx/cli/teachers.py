"""The teachers of a run, as a config names them."""

from dataclasses import dataclass


@dataclass
class Teachers:
    """The two frozen classifiers of a run, named once for the model and the data.

    Attributes:
        photo: A `.safetensors` file with its card, a `.yaml` card that names its weights, or `timm:<model name>`.
        sketch: The same for sketches.
        aliases: Other spellings of class names, alias -> name, where the two teachers spell a class differently.
    """

    photo: str | None = None
    sketch: str | None = None
    aliases: dict[str, str] | None = None
