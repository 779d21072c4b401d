from .lattice import MOST_SITES as MOST_SITES
from .lattice import Bonds as Bonds
from .lattice import Lattice as Lattice
from .lattice import cells_crossed as cells_crossed
from .lattice import halo_cells as halo_cells
from .neighbours import LENGTH_TOLERANCE as LENGTH_TOLERANCE
