"""The command line: parse, one call into the library, print. Heavy imports wait until a command needs them."""

from __future__ import annotations

import argparse
import importlib.metadata
import os
import sys
import traceback
from pathlib import Path
from typing import TYPE_CHECKING

from tandem.pipeline import environment

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

EXIT_FAILED, EXIT_INTERRUPTED = 1, 130
REPORT_PORT = 8645

_OUTPUT = "folder of artifacts, metadata and logs (default: runs/NAME)"


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs a command.

    Args:
      arguments: Of the command line; None: the process's own.

    Returns:
      0: done (a model that the gate refuses is an answer, too); 1: failed; 2: the command line is wrong; 130: Ctrl-C.
    """
    environment.prepare()
    options = _parser().parse_args(arguments)
    from tandem.pipeline.configuration.errors import ConfigError
    from tandem.pipeline.failures import Interrupted, RunError

    try:
        return int(options.command(options))
    except ConfigError as error:
        print(error, file=sys.stderr)
        return EXIT_FAILED
    except (RunError, FileExistsError, ValueError) as error:
        if options.debug:
            traceback.print_exc()
        print(f"error: {error}", file=sys.stderr)
        return EXIT_FAILED
    except (Interrupted, KeyboardInterrupt) as error:
        print(f"{str(error) or 'interrupted'}; the same command goes on with what is finished", file=sys.stderr)
        return EXIT_INTERRUPTED


def _run(options: argparse.Namespace) -> int:
    from tandem.pipeline.configuration import config
    from tandem.pipeline.local import closing_table, runner

    closing_table.show(runner.run(config.load(options.config, options.data, options.set, options.output)))
    return 0


def _init(options: argparse.Namespace) -> int:
    from tandem.pipeline.starter import init

    for line in init.write(options.name, options.files, options.like, options.force):
        print(line)
    return 0


def _doctor(options: argparse.Namespace) -> int:
    from tandem.pipeline import doctor

    if options.config is None and (options.data or options.set):
        raise ValueError("--data and --set go with a configuration: tandem doctor CONFIG")
    return 0 if doctor.examine(options.config, options.data, options.set) else EXIT_FAILED


def _schema(options: argparse.Namespace) -> int:
    import json

    from tandem import files
    from tandem.pipeline.configuration.json_schema import json_schema

    text = json.dumps(json_schema(), indent=2, ensure_ascii=False) + "\n"
    if options.file is None:
        print(text, end="")
    else:
        files.write(options.file, text)
        print(options.file)
    return 0


def _sample(options: argparse.Namespace) -> int:
    from tandem.pipeline import sample_logs
    from tandem.pipeline.local import closing_table, progress

    with progress.counting("impressions") as report:
        truth = sample_logs.write_sample_logs(options.folder, options.impressions, options.seed, report)
    closing_table.show_sample(options.folder, truth)
    return 0


def _models(options: argparse.Namespace) -> int:
    from tandem.models import recipes, variants
    from tandem.pipeline.local import closing_table
    from tandem.pipeline.trials.trial import COMPARISONS

    closing_table.show_systems(recipes.RECIPES, variants.VARIANTS, COMPARISONS)
    return 0


def _bench(options: argparse.Namespace) -> int:
    from tandem.pipeline.bench import benchmark, terminal
    from tandem.pipeline.configuration import config

    loaded = config.load(options.config, options.data, options.set, options.output)
    outcome = benchmark.run(loaded, options.systems, options.seeds)
    terminal.show(outcome)
    return EXIT_FAILED if outcome.table.failed else 0


def _report(options: argparse.Namespace) -> int:

    from tandem.pipeline.report import server

    output = None if options.output is None else Path(options.output)
    if options.config is not None:
        from tandem.pipeline.configuration import config

        # The report is there already: it does not matter where the logs are.
        output = config.load(options.config, data=".", output=options.output, look_into_logs=False).output_dir
    report = server.find(output)
    print(report, flush=True)
    if options.serve:
        stop = "Ctrl-C ends"
        server.serve(report, options.port, lambda address: print(f"{address}  ({stop})", flush=True))
    return 0


def _vectors(options: argparse.Namespace) -> int:
    from tandem.pipeline import vector_file

    print(vector_file.write(options.model, options.feature, options.file))
    return 0


def _predict(options: argparse.Namespace) -> int:
    from tandem.pipeline.prediction import predict

    try:
        told = predict.write(
            options.model, options.files, options.output, options.format, options.keep, options.data, options.set
        )
    except KeyboardInterrupt:
        print("interrupted; nothing was written but what standard output has already", file=sys.stderr)
        return EXIT_INTERRUPTED
    except BrokenPipeError:  # whoever read standard output has enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # what Python flushes at its end
        return EXIT_FAILED
    for line in told.lines():
        print(line, file=sys.stderr)
    return 0


def _compile(options: argparse.Namespace) -> int:
    from tandem.pipeline.configuration import config

    loaded = config.load(options.config, options.data, options.set)
    from tandem.pipeline.kubeflow import compile  # imports TFX

    print(compile.compile_package(loaded, options.package, options.image))
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="tandem",
        description="Predict clicks and conversions together: from logs to a pushed model.",
        epilog="Start with: tandem sample data/sample && tandem run configs/sample.yaml",
    )
    parser.add_argument("--version", action=_Version, nargs=0, help="print the version and leave")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)

    run = _command(commands, "run", _run, "run the pipeline of a configuration; what is finished already is reused")
    _add_config(run)
    run.add_argument("--output", metavar="DIR", help=_OUTPUT)

    init = _command(commands, "init", _init, "write a first configuration, guessed from the columns of your files")
    init.add_argument("name", metavar="NAME", help="of the pipeline; NAME.yaml is written into the current folder")
    init.add_argument("files", metavar="FILE", nargs="*", help="logs: files, folders or globs")
    init.add_argument("--like", metavar="CONFIG", help="copy a configuration that comes with Tandem, such as sample")
    init.add_argument("--force", action="store_true", help="replace NAME.yaml where it is there")

    bench = _command(commands, "bench", _bench, "train systems on the same examples, several seeds each, and compare")
    _add_config(bench)
    bench.add_argument("--output", metavar="DIR", help=_OUTPUT)
    bench.add_argument(
        "--systems",
        nargs="+",
        metavar="NAME",
        help="as `tandem models` lists them; an ablation is NAME/ABLATION, and '*' stands for anything but '/' "
        "(default: all recipes)",
    )
    bench.add_argument("--seeds", type=int, default=3, metavar="N", help="runs of each system (default: %(default)s)")

    report = _command(commands, "report", _report, "show the report of the last run in a browser of this machine")
    report.add_argument(
        "config", metavar="CONFIG", nargs="?", help="a configuration file (default: the newest report in runs/)"
    )
    report.add_argument("--output", metavar="DIR", help="folder of the run (default: runs/NAME)")
    report.add_argument(
        "--port", type=int, default=REPORT_PORT, metavar="N", help="0: any that is free (default: %(default)s)"
    )
    report.add_argument("--no-serve", dest="serve", action="store_false", help="print the path of the report only")

    doctor = _command(commands, "doctor", _doctor, "check the machine, the environment and a configuration")
    _add_config(doctor, nargs="?")

    schema = _command(
        commands, "schema", _schema, "write the JSON schema of a configuration, by which an editor completes and checks"
    )
    schema.add_argument(
        "file", metavar="FILE", nargs="?", help="where to, such as tandem.schema.json (default: standard output)"
    )

    sample = _command(commands, "sample", _sample, "write sample logs with known truth")
    sample.add_argument("folder", metavar="FOLDER", type=Path, help="where to write, such as data/sample")
    sample.add_argument("--impressions", type=int, default=200_000, metavar="N", help="how many (default: %(default)s)")
    sample.add_argument("--seed", type=int, default=7, metavar="N", help="of the random numbers (default: %(default)s)")

    _command(
        commands, "models", _models, "list the recipes that `model: {recipe: ...}` takes, and what `bench` compares"
    )

    predict = _command(commands, "predict", _predict, "score files with the pushed model: a probability per output")
    predict.add_argument(
        "model",
        metavar="CONFIG|MODEL",
        help="a configuration, whose newest pushed model is asked, or the folder of a model such as "
        "runs/NAME/models/NAME (or of one of its versions)",
    )
    predict.add_argument("files", metavar="FILE", nargs="+", help="CSV, JSON lines or Parquet")
    predict.add_argument(
        "--output", metavar="OUT", default="-", help="*.csv, *.jsonl or *.parquet; - (the default): standard output"
    )
    predict.add_argument(
        "--format", choices=("csv", "jsonl", "parquet"), help="(default: by the ending of OUT, else csv)"
    )
    predict.add_argument(
        "--keep", nargs="*", metavar="COLUMN", help="the columns of the files to write besides (default: all)"
    )
    _add_data_and_set(predict)

    vectors = _command(commands, "vectors", _vectors, "write a feature's embeddings, value by value, to a file")
    vectors.add_argument(
        "model", metavar="MODEL", help="folder of a pushed model, such as runs/NAME/models/NAME/VERSION"
    )
    vectors.add_argument("feature", metavar="FEATURE", help="its name in the configuration")
    vectors.add_argument("file", metavar="FILE", type=Path, help="*.parquet or *.csv")

    package = _command(commands, "compile", _compile, "write the pipeline as a package for Kubeflow Pipelines v2")
    _add_config(package)
    package.add_argument(
        "-o", dest="package", metavar="FILE", type=Path, default=Path("pipeline.yaml"), help="(default: %(default)s)"
    )
    package.add_argument(
        "--image", default="tandem:latest", help="container image of every step (default: %(default)s)"
    )
    return parser


def _command(
    commands: argparse._SubParsersAction[argparse.ArgumentParser],
    name: str,
    function: Callable[[argparse.Namespace], int],
    summary: str,
) -> argparse.ArgumentParser:
    command = commands.add_parser(name, help=summary, description=f"{summary[0].upper()}{summary[1:]}.")
    command.add_argument("--debug", action="store_true", help="show tracebacks")
    command.set_defaults(command=function)
    return command


def _add_config(command: argparse.ArgumentParser, nargs: str | None = None) -> None:
    command.add_argument(
        "config",
        metavar="CONFIG",
        nargs=nargs,
        help="a configuration file, or the name of one that comes with Tandem, such as sample",
    )
    _add_data_and_set(command)


def _add_data_and_set(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--data", metavar="PATH", help="folder of the logs (default: $TANDEM_DATA, else data_dir of the file)"
    )
    command.add_argument(
        "--set",
        metavar="KEY=VALUE",
        action="append",
        default=[],
        help="change a setting, such as training.max_steps=1; may be given several times",
    )


class _Version(argparse.Action):
    """Looks the version up only when it is asked for."""

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: object,
        option_string: str | None = None,
    ) -> None:
        print(f"tandem {importlib.metadata.version('tandem')}")
        parser.exit()
