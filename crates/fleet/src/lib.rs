//! Places many machines together.
