"""The command line: ``sdgnn init|generate|train|learn|evaluate|simulate|analyze|export|demo``, and more."""

from __future__ import annotations

import itertools
import os
import shlex
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from pkgutil import resolve_name
from typing import TYPE_CHECKING, Annotated, Any, cast

import typer

from sdgnn.common.streams import protect_streams
from sdgnn.electrons.levels import LEVELS, Level

if TYPE_CHECKING:
    from sdgnn.cli.config.base import Config

INTERRUPTED = 130
"""Exit status after Ctrl-C."""
TERMINATED = 75
"""Exit status after SIGTERM, SIGUSR1 or SIGHUP, which asks to be started again (EX_TEMPFAIL)."""
USER_ERROR = 2
"""Exit status after a mistake in what was asked for."""
UNKNOWN_STATES = 3
"""Exit status after a guard has stopped a run."""

app = typer.Typer(
    name="sdgnn",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="rich",
    pretty_exceptions_show_locals=False,
    help="""Learned effective fields for metallic magnets: from the s-d Hamiltonian to spin dynamics on large lattices.

The pipeline, one command a stage, each with its YAML file:

  sdgnn init     triangular                         these files, into configs/
  sdgnn generate configs/triangular/labels.yaml     exact labels of a small one
  sdgnn train    configs/triangular/train.yaml      a network
  sdgnn generate configs/triangular/larger.yaml     labels of a larger lattice
  sdgnn evaluate configs/triangular/evaluate.yaml   torque errors there
  sdgnn simulate configs/triangular/quench.yaml     a quench of a larger one
  sdgnn analyze  configs/triangular/analyze.yaml    chirality, domain length
  sdgnn export   results/triangular/quench --to quench.mp4     a movie

Or in rounds, on the states that the dynamics itself reaches:

  sdgnn learn    configs/triangular/learn.yaml      labels where it disagrees

All of it in minutes: [bold]sdgnn demo[/bold]. Other examples: [bold]sdgnn init[/bold].
Any key of a file can be set on the line: [bold]electrons.kT=0.1[/bold].
Every run makes one folder (results/... or the key output), with its config.yaml and the versions it ran with.""",
)


def _show_version(value: bool) -> bool:
    """Print versions and end."""
    if value:
        from sdgnn.common.provenance import plain_versions

        typer.echo(plain_versions())
        raise typer.Exit
    return value


@app.callback()
def options(
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Show versions and end.")
    ] = False,
) -> None:
    """Options of the command itself."""


def _argument(metavar: str, text: str) -> Any:
    """A positional argument of a command, with its help."""
    return typer.Argument(metavar=metavar, help=text, show_default=False)


ConfigFile = Annotated[Path, _argument("CONFIG.yaml", "Configuration file.")]
Overrides = Annotated[list[str] | None, _argument("[KEY=VALUE]...", "Keys set over the file's.")]
Resume = Annotated[bool, typer.Option("--resume", help="Go on with an interrupted run in its folder.")]


def _show_keys(context: Any, value: bool) -> bool:
    """List a command's keys and end."""
    if value:
        from sdgnn.cli.config.index import COMMANDS
        from sdgnn.cli.config.reference import describe

        words: list[str] = []
        while context.parent is not None:
            words.insert(0, str(context.info_name))
            context = context.parent
        typer.echo(describe(COMMANDS[" ".join(words)]), nl=False)
        raise typer.Exit
    return value


Keys = Annotated[bool, typer.Option("--keys", callback=_show_keys, is_eager=True, help="List all keys and end.")]


@app.command()
def init(
    name: Annotated[str | None, _argument("NAME", "Example to write; without it they are listed.")] = None,
    listed: Annotated[bool, typer.Option("--list", help="List the examples and end.")] = False,
) -> None:
    """Write an example's YAML files into configs/ of this folder, and say which commands take them.

    The examples are those of the project's repository. Nothing that is there already is replaced.

    Examples:

      sdgnn init     what there is

      sdgnn init triangular     labels, training, errors, quench and analysis of one Hamiltonian
    """
    with _friendly_errors():
        from sdgnn.cli.commands.init import list_examples, write_example

        if name is None or listed:
            list_examples()
        else:
            write_example(name)


@app.command()
def generate(config: ConfigFile, overrides: Overrides = None, resume: Resume = False, keys: Keys = False) -> None:
    """Label spin states with their exact energy, field, density and chemical potential.

    Examples:

      sdgnn generate configs/triangular/labels.yaml

      sdgnn generate configs/triangular/labels.yaml lattice.size=[8,8] electrons.kT=0.1 output=results/warm

      sdgnn generate configs/triangular/labels.yaml --resume     after a kill: only what is missing

      sdgnn generate configs/triangular/labels.yaml scheduler=tcp://node1:8786     on a dask cluster
    """
    _run("generate", "generate:generate_labels", [config], overrides, resume=resume)


@app.command()
def dataset(config: ConfigFile, overrides: Overrides = None, resume: Resume = False, keys: Keys = False) -> None:
    """Label states of many Hamiltonians exactly, with a data card: a folder to cite and to put into an archive.

    Hamiltonians are drawn at random on several lattices. The folder receives HDF5 files, those for training and those
    held out apart, DATA_CARD.md, CITATION.cff, datacite.json, and SHA256SUMS for sha256sum -c.

    Examples:

      sdgnn dataset configs/dataset.yaml

      sdgnn dataset configs/dataset.yaml count=12 held_out=2 output=results/dataset-small     a part

      sdgnn dataset configs/dataset.yaml --resume     after a kill: only what is missing

      sdgnn train results/dataset/square-training.h5 output=results/model
    """
    _run("dataset", "dataset:make_dataset", [config], overrides, resume=resume)


@app.command()
def train(
    what: Annotated[list[str], _argument("CONFIG.yaml | LABELS... [KEY=VALUE]...", "A file, or label sets.")],
    resume: Resume = False,
    keys: Keys = False,
) -> None:
    """Train a network on label sets.

    Examples:

      sdgnn train configs/triangular/train.yaml

      sdgnn train results/triangular/labels/labels.h5 training.epochs=20 output=results/model

      sdgnn train configs/triangular/train.yaml network.hidden=32 seed=1 output=results/wide

      sdgnn train configs/triangular/train.yaml --resume     goes on from the last checkpoint

      sdgnn train configs/triangular/further.yaml     goes on from a trained model

      tensorboard --logdir results/triangular/model     its curves
    """
    _run("train", "train:train_model", what, None, resume=resume)


@app.command()
def evaluate(
    what: Annotated[
        list[str],
        typer.Argument(metavar="CONFIG.yaml | MODEL DATA [KEY=VALUE]...", help="A file, or a model and labels."),
    ],
    json_path: Annotated[Path | None, typer.Option("--json", help="Also write the numbers to this file.")] = None,
    resume: Resume = False,
    keys: Keys = False,
) -> None:
    """Torque, energy and angle errors of a network, beside 1- and 5-shell Heisenberg models fitted to the labels.

    MODEL is a folder, a file or a shipped name. DATA is a label set: .h5, or .npz with spins, field, lattice, shape.

    Examples:

      sdgnn evaluate results/triangular/model results/triangular/labels/labels.h5 --json errors.json

      sdgnn evaluate configs/triangular/evaluate.yaml model=results/wide

      sdgnn evaluate configs/triangular/evaluate.yaml floor={}     beside the smallest error at their halo
    """
    _run("evaluate", "evaluate:evaluate_model", what, None, resume=resume, json_path=json_path)


@app.command()
def learn(config: ConfigFile, overrides: Overrides = None, resume: Resume = False, keys: Keys = False) -> None:
    """Train a committee on the states that its own dynamics reaches: label, train, run, pick, label, ...

    Networks that differ by their seeds agree where they have seen enough and disagree elsewhere. Each round they drive
    the dynamics together; the states on which their torques differ most are labelled exactly and added, until the
    error on fresh states meets the target or a budget (rounds, labels, minutes) ends. report.html shows errors by
    round, predicted against true error, and where the picked states come from.

    Examples:

      sdgnn learn configs/triangular/learn.yaml

      sdgnn learn configs/triangular/learn.yaml learning.target_r2=0.97 learning.rounds=8 output=results/long

      sdgnn learn configs/triangular/learn.yaml --resume     after a kill, or with a larger learning.rounds

      sdgnn simulate configs/triangular/quench.yaml field.model=results/triangular/learned/committee --guard
    """
    _run("learn", "learn:learn_actively", [config], overrides, resume=resume)


@app.command()
def simulate(
    what: Annotated[list[str], _argument("CONFIG.yaml | MODEL [KEY=VALUE]...", "A file, or a model.")],
    resume: Resume = False,
    guard: Annotated[
        bool, typer.Option("--guard", help="Stop (status 3) when the run leaves what its committee knows; keys guard.*")
    ] = False,
    keys: Keys = False,
) -> None:
    """Integrate the Landau-Lifshitz-Gilbert equation with a network, the exact or a classical field.

    Examples:

      sdgnn simulate configs/triangular/quench.yaml

      sdgnn simulate triangular-tetrahedral lattice.size=[48,48] steps=1000     a model by name or path

      sdgnn simulate configs/triangular/quench.yaml lattice.size=[96,96] integrator.kT=0.01 output=results/hot

      sdgnn simulate configs/triangular/quench.yaml --resume     bit for bit the uninterrupted run

      sdgnn simulate configs/triangular/quench.yaml sweep.integrator.kT=[0.001,0.003]     all in one batch, sweep.zarr

      sdgnn simulate configs/protocols/anneal.yaml     kT and external field may depend on time

    A committee (sdgnn learn) predicts the error of its torques. With --guard the run is watched: it stops when too many
    sites are beyond what the committee knows, or labels such states exactly and goes on:

      sdgnn simulate configs/triangular/quench.yaml field.model=results/triangular/learned/committee --guard

      sdgnn simulate ... --guard guard.then=label guard.size=[12,12]     pieces of 12 x 12 cells to unknown.h5

      sdgnn simulate ... --resume guard.share=0.2     on from where it stopped, with more patience
    """
    _run("simulate", "simulate:run_simulation", what, None, resume=resume, guard=guard)


@app.command()
def analyze(
    what: Annotated[str, _argument("CONFIG.yaml | FOLDER", "A file, or the folder of a run.")],
    overrides: Overrides = None,
    resume: Resume = False,
    keys: Keys = False,
) -> None:
    """Chirality, structure factor and domain length of a trajectory, with error bars over its replicas.

    Replicas of different temperature, damping or schedule are kept apart. FOLDER may be that of a sweep: order
    parameters against the swept keys, with errors.

    Examples:

      sdgnn analyze results/triangular/quench

      sdgnn analyze results/triangular/quench domains={} output=results/growth

      sdgnn analyze results/protocols/depths discard=0.5     a sweep

      sdgnn analyze configs/triangular/analyze.yaml trajectory=results/hot output=results/hot-analysis
    """
    _run("analyze", "analyze:analyze_folder", [what], overrides, resume=resume)


@app.command()
def export(
    folder: Annotated[Path, _argument("RUN", "Folder of a simulation.")],
    to: Annotated[Path, typer.Option("--to", help="File to write; its suffix says what.", show_default=False)],
    time: Annotated[
        float | None, typer.Option("--time", help="Time (hbar/t) of the state, that recorded nearest; else the last.")
    ] = None,
    every: Annotated[int | None, typer.Option("--every", min=1, help="Every so many of the recorded times.")] = None,
    replica: Annotated[
        int | None, typer.Option("--replica", min=0, help="Which replica, from 0; else the first, or all of .npz, .nc.")
    ] = None,
) -> None:
    """The spins of a run as files of other programs, as a movie or as a page with a slider.

    One state: .ovf (OVF 2.0, for OOMMF, mumax3, Ubermag), .vti (square, cubic) and .vtp (any lattice) for ParaView.
    Through time: .pvd (ParaView), .npz (numpy), .nc (NetCDF, xarray), .mp4 and .gif (movies), .html (needs nothing but
    a browser). A file that exists is not replaced.

    Examples:

      sdgnn export results/triangular/quench --to last.ovf

      sdgnn export results/triangular/quench --to early.vtp --time 100 --replica 2

      sdgnn export results/triangular/quench --to quench.mp4 --every 2

      sdgnn export results/triangular/quench --to quench.html

      sdgnn simulate configs/triangular/quench.yaml initial.state=file initial.file=last.ovf     a run from it
    """
    with _friendly_errors():
        from sdgnn.cli.commands.export import export_run

        export_run(folder, to, time, every, replica)


@app.command()
def calibrate(config: ConfigFile, overrides: Overrides = None, keys: Keys = False) -> None:
    """Fit a factor of each moment to a handful of exact states of one Hamiltonian, in seconds.

    Without data, random and ordered states are solved exactly on a small crystal. The table shows torque R² of each
    family of states without factors, with factors fitted to all states but the one that is judged, and with factors
    fitted to all other families. The folder receives model.safetensors, for simulate and evaluate, and
    calibration.json.

    Examples:

      sdgnn calibrate configs/triangular/calibrate.yaml

      sdgnn calibrate configs/triangular/calibrate.yaml hamiltonian.exchange=4 electrons.kT=0.1 level=accurate
    """
    _run("calibrate", "calibrate:calibrate_model", [config], overrides)


@app.command()
def locality(config: ConfigFile, overrides: Overrides = None, keys: Keys = False) -> None:
    """The smallest torque error that any model can have which sees spins only within a radius.

    Spins within a radius of a site are frozen, all others drawn again: the spread of the site's exact torque is an
    error that no such model can avoid. Compare a network at twice the cutoff of its energies. The folder receives
    locality.json and the figure as locality.png and locality.pdf.

    Examples:

      sdgnn locality configs/triangular/locality.yaml

      sdgnn locality configs/triangular/locality.yaml electrons.kT=0.1 environments=32 output=results/warm
    """
    _run("locality", "locality:measure_locality", [config], overrides)


benchmark = typer.Typer(no_args_is_help=True, help="Models and methods side by side: their errors, and their speed.")
app.add_typer(benchmark, name="benchmark")


@benchmark.command()
def accuracy(config: ConfigFile, overrides: Overrides = None, resume: Resume = False, keys: Keys = False) -> None:
    """Train models of several kinds on the same labels and compare their errors on the same held-out states.

    Heisenberg models by linear least squares, then every model of the file, each with the same labels, split and time.
    The table shows torque R² and mean square error on the test states, which choose nothing, the locality floor at
    each model's halo, weights, training time and time per site. The folder receives benchmark.json, table.md and the
    models.

    Examples:

      sdgnn benchmark accuracy configs/benchmarks/mlst2023.yaml

      sdgnn benchmark accuracy configs/benchmarks/prl2021.yaml data=FILE training.minutes=30 output=results/long
    """
    _run("benchmark accuracy", "accuracy:compare_models", [config], overrides, resume=resume)


@benchmark.command()
def electrons(config: ConfigFile, overrides: Overrides = None, resume: Resume = False, keys: Keys = False) -> None:
    """Diagonalisation, kernel polynomials, local moments and a network: seconds and errors on growing lattices.

    Random states of each lattice; errors are against diagonalisation, or against the last entry of kpm on lattices
    with more than exact_sites sites. The folder receives benchmark.json, table.md and a figure of the torque error
    against its cost as cost.png and cost.pdf.

    Examples:

      sdgnn benchmark electrons configs/benchmarks/electrons.yaml

      sdgnn benchmark electrons configs/benchmarks/electrons.yaml sizes=[[96,96]] kT=0.1 output=results/large

      sdgnn benchmark electrons configs/benchmarks/electrons.yaml "truncated=[{cutoff: 7, moments: 101}]"
    """
    _run("benchmark electrons", "electrons:compare_solvers", [config], overrides, resume=resume)


@benchmark.command()
def dynamics(config: ConfigFile, overrides: Overrides = None, resume: Resume = False, keys: Keys = False) -> None:
    """Spin updates per second by lattice, replicas and field; memory; the share of the time outside the field.

    Each run is measured in a process of its own. The folder receives benchmark.json, to compare later versions with,
    table.md and the figure as speed.png and speed.pdf.

    Examples:

      sdgnn benchmark dynamics configs/benchmarks/dynamics.yaml

      sdgnn benchmark dynamics configs/benchmarks/dynamics.yaml sizes=[[512,512]] replicas=[1] steps=1 repeats=1
    """
    _run("benchmark dynamics", "dynamics:measure_speed", [config], overrides, resume=resume)


@app.command()
def demo(
    arguments: Annotated[
        list[str] | None,
        typer.Argument(metavar="[CONFIG.yaml] [KEY=VALUE]...", help="Settings, by default those of `sdgnn init demo`."),
    ] = None,
    resume: Resume = False,
    keys: Keys = False,
) -> None:
    """From a Hamiltonian to a quench, in minutes, with a report at the end.

    The field without any label, calibrated on a handful of exact states, and trained, beside fitted Heisenberg models,
    on held-out exact states and on those of a larger lattice; a quench of several replicas of a 64 x 64 lattice driven
    by the trained network, measured on the fly, and a self-contained HTML report. Triangular lattice, J = 3, quarter
    filling unless said otherwise.

    Examples:

      sdgnn demo

      sdgnn demo hamiltonian.exchange=1 electrons.filling=0.4     another Hamiltonian

      sdgnn demo configs/demo.yaml     settings of your own, from `sdgnn init demo`

      sdgnn demo lattice.type=square hamiltonian.exchange=6 electrons.filling=0.485

      sdgnn demo quench.lattice.size=[96,96] quench.replicas=2

      sdgnn demo --resume     goes on with the newest demo that was interrupted
    """
    from sdgnn.cli.config.examples import source

    words = arguments or []
    _run(
        "demo",
        "demo:run_demo",
        words if words and "=" not in words[0] else [source("demo"), *words],
        None,
        resume=resume,
    )


def _known_level(value: str | None) -> str | None:
    """Refuse what is no level."""
    if value is not None and value not in LEVELS:
        raise typer.BadParameter(f"{value!r}; allowed: {', '.join(LEVELS)}")
    return value


model = typer.Typer(no_args_is_help=True, help="What a model is, and what two differ in: shipped ones and files.")
app.add_typer(model, name="model")


@model.command()
def info(
    name: Annotated[str, _argument("MODEL", "A shipped name, a file or a folder.")],
    level: Annotated[
        str | None, typer.Option("--level", callback=_known_level, help="Of a shipped name: fast or accurate.")
    ] = None,
    json_path: Annotated[Path | None, typer.Option("--json", help="Also write the whole record to this file.")] = None,
) -> None:
    """Physics, halo, sizes, training sets, versions and hashes of a model.

    Examples:

      sdgnn model info triangular-tetrahedral

      sdgnn model info universal --level accurate

      sdgnn model info results/triangular/model --json model.json
    """
    with _friendly_errors():
        from sdgnn.cli.commands.model import show_model

        show_model(name, cast("Level | None", level), json_path)


@model.command()
def diff(
    first: Annotated[str, _argument("MODEL", "A shipped name, a file or a folder.")],
    second: Annotated[str, _argument("MODEL", "Another.")],
) -> None:
    """Settings, training and weights in which two models differ, by name.

    Examples:

      sdgnn model diff triangular-tetrahedral triangular-tetrahedral-accurate

      sdgnn model diff triangular-tetrahedral results/triangular/further
    """
    with _friendly_errors():
        from sdgnn.cli.commands.model import compare_models

        compare_models(first, second)


@app.command()
def doctor() -> None:
    """What runs on this machine and how fast, what is missing, and what to do about it.

    Versions, processor, threads, memory, disk, GPU or why there is none, optional packages, where compiled loops are
    kept; the walk of electrons is compared with diagonalisation and its time with the table of the documentation. Exit
    status 0 where all that the package needs works, else 1. Half a minute where loops have to be compiled first.

    Examples:

      sdgnn doctor
    """
    with _friendly_errors():
        from sdgnn.cli.commands.doctor import diagnose

        if not diagnose():
            raise typer.Exit(1)


IN_PLACE: dict[str, tuple[str, Callable[..., dict[str, Any]]]] = {
    "train": ("LABELS...", lambda first, *others: {"data": [first, *others]}),
    "evaluate": ("MODEL DATA", lambda model, data: {"model": model, "data": [data]}),
    "simulate": ("MODEL", lambda model: {"field": {"model": model}}),
    "analyze": ("FOLDER", lambda folder: {"trajectory": folder}),
}
"""Paths that may stand in place of a configuration file, and the configuration that they make."""


def _run(command: str, function: str, given: Sequence[object], overrides: Sequence[str] | None, **options: Any) -> None:
    """Read the configuration of a command, then import and call ``module:function`` of sdgnn.cli.commands with it.

    ``given`` holds a configuration file or the paths in its place, and may end with more KEY=VALUE.
    """
    with _friendly_errors():
        from sdgnn.cli.config.index import COMMANDS

        words = [*map(str, given), *(overrides or ())]
        config = _configuration(command, COMMANDS[command], words, options.get("resume", False))
        resolve_name(f"sdgnn.cli.commands.{function}")(config, **options)


def _configuration(command: str, cls: type[Config], words: Sequence[str], resume: bool) -> Config:
    """The configuration in a file, or that made of the paths before the first KEY=VALUE.

    With ``resume``, the config.yaml of a run goes on in the folder where the file lies now.
    """
    from sdgnn.common.errors import UserError

    paths = list(itertools.takewhile(lambda word: "=" not in word, words)) if command in IN_PLACE else [words[0]]
    keys = list(words[len(paths) :])
    if command not in IN_PLACE or (len(paths) == 1 and paths[0].endswith((".yaml", ".yml"))):
        path = Path(paths[0])
        own = resume and path.name == "config.yaml" and path.with_name("provenance.json").is_file()
        if own and not any(word.startswith("output=") for word in keys):
            keys.append(f"output={path.parent}")
        return cls.read(path, keys)
    shape, place = IN_PLACE[command]
    try:
        data = place(*paths)
    except TypeError:  # too few or too many of them
        raise UserError(" ".join(words), allowed=f"CONFIG.yaml or {shape}, then KEY=VALUE") from None
    return cls.parse(data, keys, source=" ".join(paths))


@contextmanager
def _friendly_errors() -> Iterator[None]:
    """Turn the user's mistakes and interruptions into one clear message and an exit status."""
    from sdgnn.cli.commands.stopping import stoppable
    from sdgnn.common.errors import NumericalError, Terminated, UnknownStates, UserError
    from sdgnn.common.files import write_failure
    from sdgnn.common.processes import is_first

    try:
        with stoppable():
            yield
    except UserError as error:
        if is_first():
            _complain(error)
        raise typer.Exit(USER_ERROR) from None
    except UnknownStates as error:
        _complain(error)
        raise typer.Exit(UNKNOWN_STATES) from None
    except NumericalError as error:
        _complain(error)
        raise typer.Exit(1) from None
    except KeyboardInterrupt:
        if is_first():
            typer.echo(f"interrupted; what was finished before is saved, go on with: {_resumed()}", err=True)
        raise typer.Exit(INTERRUPTED) from None
    except Terminated as stop:
        if is_first():
            typer.echo(f"{stop}; what was finished before is saved, go on with: {_resumed()}", err=True)
        raise typer.Exit(TERMINATED) from None
    except BrokenPipeError:
        sys.stderr.close()
        raise typer.Exit(1) from None
    except OSError as error:
        reason = write_failure(error)
        if reason is None:
            raise
        if is_first():
            _complain(UserError(f"{error.filename or 'a file'}: {reason}"))
        raise typer.Exit(USER_ERROR) from None


def _resumed() -> str:
    """The command that goes on with this one."""
    return shlex.join(["sdgnn", *(word for word in sys.argv[1:] if word != "--resume"), "--resume"])


def _complain(error: Exception) -> None:
    typer.secho("error: ", fg="red", bold=True, err=True, nl=False)
    typer.echo(str(error), err=True)


def main() -> None:
    """Entry point of the command ``sdgnn``."""
    if sys.platform == "win32":
        sys.exit("error: sdgnn does not run on Windows; in the Windows Subsystem for Linux (WSL 2) it does")
    os.environ["PYTHONSAFEPATH"] = "1"  # no process that is started imports from the working folder
    protect_streams()
    app()
