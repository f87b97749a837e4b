//! What the tests of the store share.
#![allow(dead_code, unused_imports)]

mod databases;
pub mod filing;
mod tls;

pub use databases::{Place, postgres, sqlite};
pub use tls::postgres_with_tls;
