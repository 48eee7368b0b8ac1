//! Heartbeats and rates.
