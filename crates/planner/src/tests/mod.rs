//! Held against brute force.
