"""`crossx fit | validate | test | predict`: LightningCLI with subclass modes, teachers and reports."""

from collections.abc import Sequence
from copy import deepcopy
from typing import Any

import lightning.pytorch as pl
import torch
from jsonargparse import ArgumentError, Namespace
from lightning.fabric.utilities.rank_zero import rank_zero_only
from lightning.pytorch.accelerators import CPUAccelerator
from lightning.pytorch.cli import LightningArgumentParser, LightningCLI

import crossx.cli.components  # noqa: F401 - makes every class of crossx known, so that configs may use short names
from crossx.cli.checkpoints import folders_of
from crossx.cli.class_help import asked_for_class, print_class_help
from crossx.cli.composing import Composition, compose
from crossx.cli.devices import process_arguments
from crossx.cli.interruption import resumption_told
from crossx.cli.library_errors import CHECKS, named_arguments, named_parts, refused_setting
from crossx.cli.memory import keep_freed_memory
from crossx.cli.mistakes import explain, input_error_behind
from crossx.cli.parsed_once import parsed_once
from crossx.cli.precision import precision_for_cpu
from crossx.cli.quiet import hush_expected
from crossx.cli.resolved import resolved
from crossx.cli.run_start import RunStart
from crossx.cli.teachers import Teachers
from crossx.cli.trainer_settings import check_settings
from crossx.core.checks import must_be_one_of
from crossx.core.errors import InputError
from crossx.core.paths import looked_up_in_former
from crossx.core.seeding import check_seed, keep_seed
from crossx.reports.lookup import real_images
from crossx.reports.run.progress import ProgressBar
from crossx.reports.run.report import RunReport
from crossx.reports.run.scalars import continue_table, logger_in
from crossx.reports.settings import Reports, callbacks
from crossx.reports.wandb import WandbDashboard, connect, finish
from crossx.training.alternating import AlternatingModule
from crossx.training.limits import check_precision
from crossx.training.module import INSTANTIATOR, CrossxModule

_PLACES = ("model.init_args", "model.init_args.reconstruction.init_args", "model.init_args.encoding.init_args")
_FILLED = ("photo_teacher", "sketch_teacher", "aliases")
"""What `teachers` fills in there."""
VERBS = ("fit", "validate", "test", "predict")


class CrossxCLI(LightningCLI):
    """LightningCLI with the teachers named once, reports, and the limits of joint runs.

    It parses one verb with one parser; Lightning's own subcommands would build four.

    Attributes:
        verb: fit, validate, test or predict.
        checkpoint: The checkpoint that the command line names, or None.
    """

    def __init__(self, composition: Composition, parse_only: bool = False) -> None:
        """Parse a command line, and build what it names.

        Args:
            composition: The command line with its configs merged.
            parse_only: Whether to stop before anything is built.
        """
        self._composition = composition
        self.verb, *options = composition.argv
        self.checkpoint = composition.checkpoint
        self._parse_only = parse_only
        super().__init__(
            model_class=pl.LightningModule,
            datamodule_class=pl.LightningDataModule,
            subclass_mode_model=True,
            subclass_mode_data=True,
            auto_configure_optimizers=False,
            seed_everything_default=0,
            save_config_callback=RunStart,
            save_config_kwargs={"resumed_from": self.checkpoint},
            # A mistake is then an exception that can be explained, and not a screen of usage.
            # Without abbreviations, because --ckpt and --conf would pass what is done for --ckpt_path and --config.
            parser_kwargs={"prog": f"crossx {self.verb}", "exit_on_error": False, "allow_abbrev": False},
            args=options,
            run=False,
        )

    def add_arguments_to_parser(self, parser: LightningArgumentParser) -> None:
        """Add `teachers`, `reports` and `imports`."""
        modules = "modules with networks, losses and other classes of your own, imported before the config is read"
        parser.add_argument(
            "--imports", type=list[str] | None, help=f"{modules}: my_package.networks,my_package.losses"
        )
        parser.add_argument("--ckpt_path", type=str | None, help="checkpoint to resume or measure: a file, or last")
        parser.add_argument("--teachers", type=Teachers, default=Teachers())
        for place in (*_PLACES, "data.init_args"):  # a class that does not take the argument is passed over
            for source, name in zip(("photo", "sketch", "aliases"), _FILLED, strict=True):
                parser.link_arguments(f"teachers.{source}", f"{place}.{name}")
        parser.add_argument("--reports", type=Reports, default=Reports())

    def parse_arguments(self, parser: LightningArgumentParser, args: Any) -> None:  # noqa: ANN401 - Lightning's signature
        """Parse, and check the seed before it is set.

        Raises:
            InputError: For a mistake in the command line or its configs, explained in one line.
        """
        try:
            with parsed_once():
                super().parse_arguments(parser, args)
        except ArgumentError as error:
            known = parser.get_defaults(skip_validation=True).keys()
            raise InputError(explain(error, self.verb, self._composition.config, known)) from error
        check_seed(self.config.seed_everything, "seed_everything")

    def instantiate_classes(self) -> None:
        """Build what the config names, unless only the config is wanted."""
        if not self._parse_only:
            with named_parts(self.arguments):
                super().instantiate_classes()
            self._keep_seed()

    def _set_seed(self) -> None:
        """Set the seed of a run; a config that is only read leaves torch as it is."""
        if not self._parse_only:
            super()._set_seed()
            self._keep_seed()

    def _keep_seed(self) -> None:
        seed = self.config.seed_everything
        if not isinstance(seed, bool) and seed is not None:  # false leaves the seed to the user
            keep_seed(seed)

    @property
    def arguments(self) -> Namespace:
        """The parsed config."""
        arguments: Namespace = self.config
        return arguments

    def before_instantiate_classes(self) -> None:
        """Check what can be checked before anything is built.

        Raises:
            InputError: When `max_steps` and `max_epochs` are both set, or a number is out of range.
        """
        trainer = self.arguments.trainer
        check_settings(trainer, self.verb)
        checkpoint = self.arguments.get("ckpt_path")
        if checkpoint is not None and self.checkpoint is None:
            raise InputError(f"ckpt_path: must be given on the command line, and not in a config; got {checkpoint!r}")
        if self._parse_only:  # a config is the same on every machine
            return
        on_cpu = trainer.accelerator == "cpu" or (trainer.accelerator == "auto" and not torch.cuda.is_available())
        trainer.precision = precision_for_cpu(trainer.precision, on_cpu, self._composition.argv)
        self.config_dump = self.resolved_config()  # or Lightning would check and dump the config again

    def instantiate_trainer(self, **kwargs: Any) -> pl.Trainer:  # noqa: ANN401 - Lightning's signature
        """Choose the right DDP for joint runs, and tell the module and the report the resolved config.

        Raises:
            InputError: When the settings of the trainer do not fit the machine, the model or each other.
        """
        settings, joint = self.arguments.trainer, isinstance(self.model, AlternatingModule)
        check_precision(settings.precision, joint, trains=self.verb == "fit")
        if settings.fast_dev_run in (True, 1):  # one batch for each phase of a joint run
            kwargs["fast_dev_run"] = len(self.model.players) if isinstance(self.model, AlternatingModule) else 2
        kwargs.update(process_arguments(settings, self.config_init.trainer.plugins, joint))
        reports = callbacks(self.config_init.reports)
        named = self.config_init.trainer.callbacks or []
        own_bar = any(isinstance(c, pl.callbacks.ProgressBar) for c in (named if isinstance(named, list) else [named]))
        if self.arguments.trainer.enable_progress_bar is not False and not own_bar:
            reports = [ProgressBar(), *reports]
        self.trainer_defaults["callbacks"] = reports
        if self._composition.continues is not None:  # the config keeps its logger, and a run of it a folder of its own
            kwargs["logger"] = logger_in(self._composition.continues, self.arguments.trainer.logger.init_args)
        with named_arguments():
            trainer = super().instantiate_trainer(**kwargs)
        config = deepcopy(self.config_dump)
        self.model.hparams.update(self._hparams(deepcopy(config["model"])))
        if isinstance(self.model, CrossxModule):
            self.model.run_config = {key: config[key] for key in ("model", "data", "teachers") if config.get(key)}
        for callback in trainer.callbacks:  # type: ignore[attr-defined]  # set in Trainer's constructor
            if isinstance(callback, RunReport | WandbDashboard):
                callback.config = config
        return trainer

    def _hparams(self, model: dict[str, Any]) -> dict[str, Any]:
        """Hyperparameters for Lightning's `load_from_checkpoint`, with `teachers` filled in at all its places."""
        for place in _PLACES:
            holder = {"model": model}
            for step in place.split("."):
                holder = holder.get(step, {})
            filled = self.arguments.get(place, {})
            holder.update({name: filled[name] for name in _FILLED if name in filled})
        return {"_instantiator": INSTANTIATOR, "_class_path": model["class_path"], **model.get("init_args", {})}

    def resolved_config(self) -> dict[str, Any]:
        """The config as plain values, without the places that `teachers` fills."""
        return resolved(self.parser, self.arguments)

    def run(self) -> None:
        """Run the command: fit, validate, test or predict."""
        # A checkpoint is data, whatever Lightning's default for its place.
        options: dict[str, Any] = {"datamodule": self.datamodule, "ckpt_path": self.checkpoint, "weights_only": True}
        if self.verb in ("validate", "test"):
            options["verbose"] = False  # the report has the table
        elif self.verb == "predict":
            options["return_predictions"] = False  # they are written when it ends
        if self.verb == "fit" and self.checkpoint is not None:
            continue_table(self.trainer, self.checkpoint)
        if isinstance(self.trainer.accelerator, CPUAccelerator):
            keep_freed_memory()
        # What logs elsewhere starts while nothing is lost if that fails.
        connect(self.trainer)
        getattr(self.trainer, self.verb)(self.model, **options)
        if self.verb == "fit":
            self.after_fit()
        finish(self.trainer)

    def after_fit(self) -> None:
        """Measure the last weights, where the last validation did not see them, and report."""
        report = next(c for c in self.trainer.callbacks if isinstance(c, RunReport))  # type: ignore[attr-defined]
        evaluated = real_images(self.trainer) is not None
        if self.arguments.trainer.fast_dev_run or not evaluated or not report.is_stale(self.trainer):
            return
        self.trainer.validate(self.model, datamodule=self.datamodule, verbose=False)


def run(argv: Sequence[str]) -> int:
    """Run `fit`, `validate`, `test` or `predict`, as the command `crossx` does; returns the exit status."""
    train(argv)
    return 0


def train(argv: Sequence[str]) -> CrossxCLI:
    """Run `fit`, `validate`, `test` or `predict`.

    Args:
        argv: Command line, starting with the verb.

    Returns:
        The command line object with model, data module and trainer, for use from Python.

    Raises:
        InputError: For a user's mistake.
    """
    return _explained(argv, run=True)


def build(argv: Sequence[str]) -> CrossxCLI:
    """Build what a command line names, and run nothing.

    Args:
        argv: Command line, starting with the verb.

    Returns:
        The command line object with model, data module and trainer.

    Raises:
        InputError: For a user's mistake.
    """
    return _explained(argv)


def parse(argv: Sequence[str]) -> dict[str, Any]:
    """The config of a command line as plain values: all defaults, configs and options taken together.

    Args:
        argv: Command line, starting with the verb.

    Returns:
        The resolved config; nothing is built, and no file but configs and the checkpoint is read.

    Raises:
        InputError: For a user's mistake.
    """
    return _explained(argv, parse_only=True).resolved_config()


def _explained(argv: Sequence[str], parse_only: bool = False, run: bool = False) -> CrossxCLI:
    """Parse, build and run, with one line in place of the traceback of a user's mistake."""
    must_be_one_of("command", argv[0] if argv else "", VERBS)
    if asked := asked_for_class(argv):
        print_class_help(*asked)  # and ends
    hush_expected()
    composition = compose(argv)
    try:
        for note in composition.notes if run else []:
            rank_zero_only(print)(note, flush=True)
        with looked_up_in_former(folders_of(composition.checkpoint)):
            cli = CrossxCLI(composition, parse_only)
            if run:
                with resumption_told(argv, cli.trainer, cli.checkpoint):
                    cli.run()
    except CHECKS as error:
        # What a class of the config refuses is wrapped where the parser tried several types.
        mistake = (input_error_behind(error) if isinstance(error, ValueError) else None) or refused_setting(error)
        if mistake is None:
            raise
        raise mistake from error
    return cli
