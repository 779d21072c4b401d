"""Which configuration each command takes."""

from __future__ import annotations

from sdgnn.config.base import Config
from sdgnn.config.benchmark import BenchmarkConfig, DynamicsBenchmarkConfig, ElectronsBenchmarkConfig
from sdgnn.config.calibration import CalibrateConfig
from sdgnn.config.commands import AnalyzeConfig, EvaluateConfig, GenerateConfig, SimulateConfig
from sdgnn.config.learning import LearnConfig
from sdgnn.config.locality import LocalityConfig
from sdgnn.config.training import DemoConfig, TrainConfig

COMMANDS: dict[str, type[Config]] = {
    "generate": GenerateConfig,
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
