"""Auto Mode, private clusters, and what cannot be seen from here."""
