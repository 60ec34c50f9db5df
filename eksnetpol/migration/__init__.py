"""Off another policy engine: the phased plan, who enforces what meanwhile, and what must hold at every instant."""
