//! Serves the API over machines in memory, for trying clients and for fuzzing the OpenAPI document.
//! It prints its address; `SECONDS` ends it (600 if that is not set).

#[path = "../tests/common/mod.rs"]
mod common;

use std::time::Duration;

use novacron_api::{ApiConfig, bind, serve};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let seconds = std::env::var("SECONDS").ok().and_then(|text| text.parse().ok()).unwrap_or(600);
    let address = std::env::var("LISTEN").unwrap_or_else(|_| "127.0.0.1:0".to_owned()).parse()?;
    let world = common::world(10, 1_000_000).await;
    let config = ApiConfig::default();
    let listener = bind(address, &config).await?;
    println!("http://{}", listener.local_addr()?);
    for id in &world.instances {
        println!("instance {id}");
    }
    serve(listener, world.control, config, tokio::time::sleep(Duration::from_secs(seconds))).await?;
    Ok(())
}
