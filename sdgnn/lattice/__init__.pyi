from .bonds import Bonds as Bonds
from .lattice import MOST_SITES as MOST_SITES
from .lattice import Lattice as Lattice
from .margins import cells_crossed as cells_crossed
from .margins import halo_cells as halo_cells
from .neighbours import LENGTH_TOLERANCE as LENGTH_TOLERANCE
from .symmetry import PointOperation as PointOperation
