//! Google Cloud's prices, from its own API.
