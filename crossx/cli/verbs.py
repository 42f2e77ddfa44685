"""The commands of `crossx`, one row each: a new one is a module with one function, a row here, and its test."""

from typing import NamedTuple


class Verb(NamedTuple):
    """Where a command is.

    Attributes:
        module: The module, imported when the command is asked for.
        function: The function in it: takes the command line, the verb first, and returns the exit status.
        help: One line for `crossx --help`.
    """

    module: str
    function: str
    help: str


VERBS = {
    "quickstart": Verb(
        "crossx.cli.quickstart",
        "quickstart",
        "the whole story in about five minutes, with nothing to download: crossx quickstart",
    ),
    "inspect": Verb(
        "crossx.cli.inspect_options",
        "inspect",
        "what a teacher is, and what it predicts on images: crossx inspect card.yaml --images FOLDER",
    ),
    "synthesize": Verb(
        "crossx.cli.synthesize_options",
        "synthesize",
        "draw a photo with a trained generator: crossx synthesize --generator generator.safetensors --photo P.jpg",
    ),
    "fit": Verb("crossx.cli.early", "run", "train: crossx fit --config sketchy.yaml"),
    "validate": Verb(
        "crossx.cli.early",
        "run",
        "measure retrieval on the validation split: crossx validate --ckpt_path last.ckpt",
    ),
    "test": Verb("crossx.cli.early", "run", "measure retrieval on the test split: crossx test --ckpt_path last.ckpt"),
    "predict": Verb(
        "crossx.cli.early", "run", "write the embeddings of the test images: crossx predict --ckpt_path last.ckpt"
    ),
    "export": Verb(
        "crossx.cli.export",
        "export",
        "encoders for a search, of a run or of two classifiers: crossx export --teachers PHOTO SKETCH --out DIR",
    ),
    "index": Verb(
        "crossx.cli.index",
        "index",
        "a gallery of a folder of photos: crossx index --encoder E --photos F --gallery G",
    ),
    "embed": Verb(
        "crossx.cli.embed",
        "embed",
        "a part of a very large folder as Parquet files: crossx embed --encoder DIR --photos F --out S --part 1/4",
    ),
    "gallery": Verb(
        "crossx.cli.gallery", "gallery", "what a gallery holds, and deleting from it: crossx gallery info G"
    ),
    "search": Verb(
        "crossx.cli.search", "search", "photos for drawings and for photos: crossx search --gallery G --sketch S.png"
    ),
    "serve": Verb("crossx.cli.serve", "serve", "a page to draw on, and the photos that fit: crossx serve --gallery G"),
    "demo": Verb("crossx.cli.demo", "demo", "a sketch search in one command, with nothing to download: crossx demo"),
}
