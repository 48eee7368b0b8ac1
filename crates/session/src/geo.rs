//! Country and autonomous system of an address, from the case's own MaxMind-format files.
