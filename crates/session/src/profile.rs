//! What is usual for an account, its peers and an origin.
