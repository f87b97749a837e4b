//! Azure's prices, from its own API.
