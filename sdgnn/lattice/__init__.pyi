from .bonds import Bonds as Bonds
from .cells_around import cells_crossed as cells_crossed
from .cells_around import halo_cells as halo_cells
from .common_neighbours import sides as sides
from .lattice import Lattice as Lattice
from .neighbours import LENGTH_TOLERANCE as LENGTH_TOLERANCE
from .positions import MOST_SITES as MOST_SITES
from .symmetry import PointOperation as PointOperation
