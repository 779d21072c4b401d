"""Spin dynamics: integrators of the Landau-Lifshitz-Gilbert equation, observers, trajectories and runs."""

from sdgnn.dynamics import observers
from sdgnn.dynamics.checkpoint import load_checkpoint, save_checkpoint
from sdgnn.dynamics.depondt_mertens import DepondtMertens
from sdgnn.dynamics.dormand_prince import DormandPrince
from sdgnn.dynamics.forecast import Forecast, forecast
from sdgnn.dynamics.guard import Guard
from sdgnn.dynamics.heun import Heun
from sdgnn.dynamics.integrator import Integrator
from sdgnn.dynamics.midpoint import ImplicitMidpoint
from sdgnn.dynamics.monte_carlo import MonteCarlo
from sdgnn.dynamics.observers import Observer
from sdgnn.dynamics.run import Run, simulate
from sdgnn.dynamics.semi_implicit_b import SemiImplicitB
from sdgnn.dynamics.state import State
from sdgnn.dynamics.step_size import suggest_dt
from sdgnn.dynamics.sweeps import open_sweep
from sdgnn.dynamics.trajectory import at_common_steps, lattice_of, open_trajectory

__all__ = [
    "DepondtMertens",
    "DormandPrince",
    "Forecast",
    "Guard",
    "Heun",
    "ImplicitMidpoint",
    "Integrator",
    "MonteCarlo",
    "Observer",
    "Run",
    "SemiImplicitB",
    "State",
    "at_common_steps",
    "forecast",
    "lattice_of",
    "load_checkpoint",
    "observers",
    "open_sweep",
    "open_trajectory",
    "save_checkpoint",
    "simulate",
    "suggest_dt",
]
