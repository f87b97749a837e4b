//! Plans for many machines at once.
