"""The network compiled for crystals on the CPU: box by box, every number in a row over a box's sites."""
