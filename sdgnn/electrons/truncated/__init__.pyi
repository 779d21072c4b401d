from .choice import Choice as Choice
from .choice import Trial as Trial
from .choice import suggest_cutoff as suggest_cutoff
from .field import TruncatedField as TruncatedField
from .pair_tail import PairTail as PairTail
from .pair_tail import with_pair_tail as with_pair_tail
