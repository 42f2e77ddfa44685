"""`crossx embed`: one part of a folder as shards of embeddings, for array jobs and many machines."""

import re
from collections.abc import Sequence
from pathlib import Path

from crossx.cli.extras import needs
from crossx.cli.options import OptionParser
from crossx.core.checks import must_be_in
from crossx.core.cores import cores
from crossx.core.errors import InputError


def embed(argv: Sequence[str]) -> int:
    """Embed a part.

    Args:
        argv: The command line, starting with `embed`.

    Returns:
        The exit status.

    Raises:
        InputError: When encoder, photos or part cannot be used.
        WorkError: When decoders die.
    """
    arguments = _parser().read(argv[1:])
    match = re.fullmatch(r"(\d{1,9})/(\d{1,9})", arguments.part)
    if match is None or not 1 <= int(match[1]) <= int(match[2]):
        raise InputError(f"--part: must be I/N with I from 1 to N, such as 1/4, got {arguments.part!r}")
    if arguments.workers is not None:
        must_be_in("--workers", arguments.workers, "[1, 256]")

    with needs("search"):
        from crossx.search.indexing.folder import Choices
        from crossx.search.predictor import MOST_TOGETHER, Predictor
        from crossx.search.shards.embed import embed_part
    must_be_in("--batch", arguments.batch, f"[1, {MOST_TOGETHER}]")
    encoder = Predictor(arguments.encoder, threads=cores(), device=arguments.device)
    choices = Choices(arguments.workers or 0, arguments.batch)
    part, parts = int(match[1]), int(match[2])
    for line in embed_part(Path(arguments.photos), Path(arguments.out), encoder, part, parts, choices):
        print(line, flush=True)  # noqa: T201
    return 0


def _parser() -> OptionParser:
    parser = OptionParser(
        "embed",
        "Embed one part of a folder into Parquet files, which `crossx index --from-embeddings` takes. Parts need not "
        "know of each other: start --part 1/4 to 4/4 on as many machines. A part that is ended goes on where it was.",
    )
    parser.add_argument("--encoder", metavar="DIR", required=True, help="folder that `crossx export` has written")
    parser.add_argument("--photos", metavar="FOLDER|LIST", required=True, help="the whole folder, in every part")
    parser.add_argument("--out", metavar="SHARDS", required=True, help="folder to write to, the same for all parts")
    parser.add_argument("--part", metavar="I/N", default="1/1", help="which part of how many (%(default)s)")
    parser.add_argument("--device", default="cpu", help="cpu, or cuda, which needs torch (%(default)s)")
    parser.add_argument("--workers", type=int, metavar="N", help="processes that decode (one a core)")
    parser.add_argument("--batch", type=int, default=256, help="photos that are embedded at once (%(default)s)")
    return parser
