"""Which configuration each command takes."""

from __future__ import annotations

from sdgnn.cli.config.base import Config
from sdgnn.cli.config.benchmark import BenchmarkConfig, DynamicsBenchmarkConfig, ElectronsBenchmarkConfig
from sdgnn.cli.config.calibration import CalibrateConfig
from sdgnn.cli.config.commands import AnalyzeConfig, EvaluateConfig, GenerateConfig, SimulateConfig
from sdgnn.cli.config.dataset import DatasetConfig
from sdgnn.cli.config.learning import LearnConfig
from sdgnn.cli.config.locality import LocalityConfig
from sdgnn.cli.config.training import DemoConfig, TrainConfig

COMMANDS: dict[str, type[Config]] = {
    "generate": GenerateConfig,
    "dataset": DatasetConfig,
    "calibrate": CalibrateConfig,
    "train": TrainConfig,
    "learn": LearnConfig,
    "evaluate": EvaluateConfig,
    "simulate": SimulateConfig,
    "analyze": AnalyzeConfig,
    "locality": LocalityConfig,
    "benchmark accuracy": BenchmarkConfig,
    "benchmark electrons": ElectronsBenchmarkConfig,
    "benchmark dynamics": DynamicsBenchmarkConfig,
    "demo": DemoConfig,
}
"""The configuration of each command."""
