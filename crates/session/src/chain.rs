//! Links between sessions and the chains they make.
