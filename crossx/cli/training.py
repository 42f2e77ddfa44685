"""`crossx fit | validate | test | predict`: LightningCLI with subclass modes, and what crossx adds to it."""

from collections.abc import Sequence
from copy import deepcopy
from dataclasses import dataclass
from typing import Any

import lightning.pytorch as pl
import torch
import yaml
from jsonargparse import ArgumentError, Namespace
from lightning.fabric.utilities.exceptions import MisconfigurationException
from lightning.pytorch.cli import LightningArgumentParser, LightningCLI

import crossx.cli.components  # noqa: F401 - makes every class of crossx known, so that configs may use short names
from crossx.cli import TRAINER_VERBS
from crossx.cli.configs import checkpoints_named, with_checkpoint_config, with_shipped_configs
from crossx.cli.mistakes import explain, input_error_behind
from crossx.cli.precision import precision_for_cpu
from crossx.cli.quiet import hush_expected
from crossx.cli.saved_config import SavedConfig
from crossx.core.errors import InputError
from crossx.core.seeding import check_seed, run_seed
from crossx.cotraining.module import CoTrainingModule
from crossx.reports.health.diversity import Diversity
from crossx.reports.health.monitor import HealthMonitor
from crossx.reports.pictures.filmstrip import Filmstrip
from crossx.reports.pictures.hardest import HardestPairs
from crossx.reports.pictures.histograms import ClassHistograms
from crossx.reports.pictures.media import PairSheets, RetrievalSheets
from crossx.reports.run.baselines import TeacherBaselines
from crossx.reports.run.checkpoint import LastCheckpoint
from crossx.reports.run.embeddings import EmbeddingWriter
from crossx.reports.run.export import EncoderExport
from crossx.reports.run.progress import ProgressBar
from crossx.reports.run.report import RunReport
from crossx.reports.run.scalars import ScalarTable
from crossx.reports.wandb import WandbDashboard, connect, finish
from crossx.training.limits import check_strategy, joint_ddp
from crossx.training.module import INSTANTIATOR, CrossxModule

_PLACES = ("model.init_args", "model.init_args.reconstruction.init_args", "model.init_args.encoding.init_args")
_FILLED = ("photo_teacher", "sketch_teacher", "aliases")
"""What `teachers` fills in there."""
_PARSER = {"exit_on_error": False, "allow_abbrev": False}


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


class CrossxCLI(LightningCLI):
    """LightningCLI with the teachers named once, reports, and the limits of joint runs."""

    def __init__(self, args: Sequence[str], **settings: Any) -> None:  # noqa: ANN401 - Lightning's
        """Keep the words, and do what they say.

        Args:
            args: Command line, starting with the subcommand.
            settings: Lightning's other arguments.
        """
        self.words = list(args)
        super().__init__(args=self.words, **settings)

    def add_arguments_to_parser(self, parser: LightningArgumentParser) -> None:
        """Add `teachers`, and the callbacks that every run has."""
        parser.add_argument("--teachers", type=Teachers, default=Teachers())
        for place in (*_PLACES, "data.init_args"):  # a class that does not take the argument is passed over
            for source, name in zip(("photo", "sketch", "aliases"), _FILLED, strict=True):
                parser.link_arguments(f"teachers.{source}", f"{place}.{name}")
        parser.add_lightning_class_args(ScalarTable, "scalars")
        parser.add_lightning_class_args(TeacherBaselines, "baselines")
        parser.add_lightning_class_args(PairSheets, "pair_sheets")
        parser.add_lightning_class_args(HealthMonitor, "health")
        parser.add_lightning_class_args(RetrievalSheets, "retrieval_sheets")
        parser.add_lightning_class_args(ClassHistograms, "histograms")
        parser.add_lightning_class_args(Diversity, "diversity")
        parser.add_lightning_class_args(HardestPairs, "hardest")
        parser.add_lightning_class_args(Filmstrip, "filmstrip")
        parser.add_lightning_class_args(EncoderExport, "encoders")
        parser.add_lightning_class_args(EmbeddingWriter, "embeddings")
        parser.add_lightning_class_args(RunReport, "report")
        parser.add_lightning_class_args(LastCheckpoint, "checkpoint")
        parser.add_lightning_class_args(WandbDashboard, "wandb")  # the last one: it sends what the others have written

    def _prepare_subcommand_parser(self, klass: type, subcommand: str, **kwargs: Any) -> LightningArgumentParser:  # noqa: ANN401 - Lightning's signature
        """Fill the parser of the verb that is asked for; each takes a tenth of a second, and Lightning fills four."""
        if subcommand == self.words[0]:
            return super()._prepare_subcommand_parser(klass, subcommand, **kwargs)
        return self.init_parser(**kwargs)

    def parse_arguments(self, parser: LightningArgumentParser, args: Any) -> None:  # noqa: ANN401 - Lightning's signature
        """Parse with the verb's own parser: that of all verbs would check everything again, for half a second."""
        verb, *words = args
        if any(word.partition("=")[0] == "--print_config" for word in words):
            super().parse_arguments(parser, args)  # prints, which only that one does, and ends
        arguments = self._parser(verb).parse_args(words)
        self.config = Namespace(**{"config": None, "subcommand": verb, verb: arguments})  # type: ignore[no-untyped-call]  # jsonargparse's
        check_seed(arguments.seed_everything, "seed_everything")

    def _parse_ckpt_path(self) -> None:
        """Nothing: Lightning would let the checkpoint win over the command line; see `with_checkpoint_config`."""

    @property
    def arguments(self) -> Namespace:
        """The parsed config of the subcommand."""
        arguments: Namespace = self.config[self.subcommand]
        return arguments

    def before_instantiate_classes(self) -> None:
        """Check what can be checked before anything is built.

        Raises:
            InputError: When `max_steps` and `max_epochs` are both set.
        """
        trainer = self.arguments.trainer
        if trainer.max_steps != -1 and trainer.max_epochs not in (None, -1):
            raise InputError(
                f"trainer.max_epochs: {trainer.max_epochs} is not legal beside trainer.max_steps: {trainer.max_steps}: "
                "with both, a run that resumes at an epoch's end trains nothing; leave max_epochs at -1"
            )
        checkpoint = self.arguments.get("ckpt_path")
        if checkpoint is not None and str(checkpoint) not in checkpoints_named(self.words):
            raise InputError(
                f"ckpt_path: {str(checkpoint)!r} is not legal in a config; give it on the command line, --ckpt_path"
            )
        if "weights_only" in self.arguments:
            self.arguments.weights_only = True  # a checkpoint is data, whatever Lightning's default for its place
        if trainer.fast_dev_run in (True, 1):
            trainer.fast_dev_run = 2  # one batch for each phase of a joint run
        on_cpu = trainer.accelerator == "cpu" or (trainer.accelerator == "auto" and not torch.cuda.is_available())
        trainer.precision = precision_for_cpu(trainer.precision, on_cpu, self.words)

    def instantiate_trainer(self, **kwargs: Any) -> pl.Trainer:  # noqa: ANN401 - Lightning's signature
        """Choose the right DDP for joint runs, and tell the module and the report the resolved config.

        Raises:
            InputError: When the settings of the trainer do not fit the machine, the model or each other.
        """
        if isinstance(self.model, CoTrainingModule):
            check_strategy(self.arguments.trainer.strategy)
            if self._wants_ddp():
                kwargs["strategy"] = joint_ddp()
        named = self.config_init[self.subcommand].trainer.callbacks or []
        own_bar = any(isinstance(c, pl.callbacks.ProgressBar) for c in (named if isinstance(named, list) else [named]))
        if self.arguments.trainer.enable_progress_bar is not False and not own_bar:
            self.trainer_defaults["callbacks"] = [ProgressBar()]
        try:
            trainer = super().instantiate_trainer(**kwargs)
        except (MisconfigurationException, ValueError, ImportError) as error:
            raise InputError(f"trainer: {error}") from error
        config = self.resolved_config()
        self.model.hparams.update(self._hparams(deepcopy(config["model"])))
        if isinstance(self.model, CrossxModule):
            self.model.run_config = {key: config[key] for key in ("model", "data", "teachers") if config.get(key)}
            self.model.run_config["seed_everything"] = run_seed()
            self.model.run_config["trainer"] = {"precision": str(trainer.precision)}
        for callback in trainer.callbacks:  # type: ignore[attr-defined]  # set in Trainer's constructor
            if isinstance(callback, RunReport | WandbDashboard):
                callback.config = config
        return trainer

    def _wants_ddp(self) -> bool:
        trainer = self.arguments.trainer
        if trainer.strategy != "auto":
            return bool(trainer.strategy == "ddp")  # a user's own strategy object stays as it is
        on_gpu = trainer.accelerator in ("auto", "gpu", "cuda") and torch.cuda.is_available()
        devices = trainer.devices
        if devices in ("auto", -1, "-1"):
            devices = torch.cuda.device_count() if on_gpu else 1
        if isinstance(devices, str):
            try:
                devices = devices.split(",") if "," in devices else int(devices)
            except ValueError as error:
                raise InputError(
                    f"trainer.devices: {devices!r} is not legal; a number, a list of numbers, or auto"
                ) from error
        count = len(devices) if isinstance(devices, list) else devices
        return count > 1 or trainer.num_nodes > 1

    def _hparams(self, model: dict[str, Any]) -> dict[str, Any]:
        """What Lightning's `load_from_checkpoint` builds the model from; `teachers` is filled in at all its places."""
        for place in _PLACES:
            holder = {"model": model}
            for step in place.split("."):
                holder = holder.get(step, {})
            filled = self.arguments.get(place, {})
            holder.update({name: filled[name] for name in _FILLED if name in filled})
        return {"_instantiator": INSTANTIATOR, "_class_path": model["class_path"], **model.get("init_args", {})}

    def resolved_config(self) -> dict[str, Any]:
        """The config as plain values, without the places that `teachers` fills."""
        return self._plain(skip_link_targets=True)

    def _plain(self, skip_link_targets: bool) -> dict[str, Any]:
        text = self._parser(self.subcommand).dump(
            self.arguments,
            skip_link_targets=skip_link_targets,
            skip_none=False,
            skip_validation=True,  # checked when it was parsed: to check it again takes half a second
            format="yaml",
        )
        plain: dict[str, Any] = yaml.safe_load(text)
        return plain

    def _dump_config(self) -> None:
        """What Lightning shows to `save_hyperparameters`; its own checks the config again."""
        if not hasattr(self, "config_dump"):
            self.config_dump = self._plain(skip_link_targets=False)

    def _run_subcommand(self, subcommand: str) -> None:
        """Run, and end what logs elsewhere."""
        super()._run_subcommand(subcommand)
        finish(self.trainer)

    def before_fit(self) -> None:
        """Start what logs elsewhere, while nothing is lost if that fails."""
        connect(self.trainer, self.arguments.wandb.init_timeout)

    before_validate = before_test = before_predict = before_fit

    def after_fit(self) -> None:
        """Measure the last weights, where the last validation did not see them, and report."""
        report = next(c for c in self.trainer.callbacks if isinstance(c, RunReport))  # type: ignore[attr-defined]
        evaluated = getattr(self.datamodule, "dataset", None) is not None
        if self.arguments.trainer.fast_dev_run or not evaluated or not report.is_stale(self.trainer):
            return
        self.trainer.validate(self.model, datamodule=self.datamodule, verbose=False)


def train(words: Sequence[str], command: type[CrossxCLI] = CrossxCLI) -> CrossxCLI:
    """Run `fit`, `validate`, `test` or `predict`.

    Args:
        words: Command line, starting with the subcommand.
        command: What to make of them; a subclass may stop short of running.

    Returns:
        The command line object with model, data module and trainer, for use from Python.

    Raises:
        InputError: For a user's mistake.
    """
    if not words or words[0] not in TRAINER_VERBS:
        raise InputError(f"command: {' '.join(words[:1])!r} is not legal; one of {', '.join(TRAINER_VERBS)}")
    hush_expected()
    try:
        with with_checkpoint_config(with_shipped_configs(words)) as arguments:
            return command(
                model_class=pl.LightningModule,
                datamodule_class=pl.LightningDataModule,
                subclass_mode_model=True,
                subclass_mode_data=True,
                auto_configure_optimizers=False,
                seed_everything_default=0,
                save_config_callback=SavedConfig,
                # A mistake is then an exception that can be explained, and not a screen of usage.
                # Without abbreviations, because --ckpt and --conf would pass what is done for --ckpt_path and --config.
                parser_kwargs={**_PARSER, **dict.fromkeys(TRAINER_VERBS, _PARSER)},
                args=arguments,
            )
    except ArgumentError as error:
        raise InputError(explain(error, words[0])) from error
    except MisconfigurationException as error:  # a verb or a setting that Lightning cannot serve with this model
        raise InputError(str(error)) from error
    except ValueError as error:
        # What a class of the config refuses is wrapped where the parser tried several types.
        mistake = input_error_behind(error)
        if mistake is None:
            raise
        raise mistake from error
