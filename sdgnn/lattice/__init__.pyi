from .lattice import MOST_SITES as MOST_SITES
from .lattice import Bonds as Bonds
from .lattice import Lattice as Lattice
from .lattice import cells_crossed as cells_crossed
from .lattice import margins as margins
from .neighbours import LENGTH_TOLERANCE as LENGTH_TOLERANCE
