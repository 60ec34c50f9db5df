"""What may flow; pure and exact. Thinks in sets: of endpoint classes, of addresses, of ports."""
