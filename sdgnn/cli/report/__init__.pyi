from .page import Figure as Figure
from .page import Page as Page
from .page import Section as Section
from .table import Table as Table
