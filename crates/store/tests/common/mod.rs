//! What the tests of the store share.
#![allow(dead_code, unused_imports)]

mod databases;
pub mod filing;

pub use databases::{Place, postgres, postgres_with_tls, sqlite};
