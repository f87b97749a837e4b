//! `novacron statistics`

use novacron_types::placement::Statistics;

use super::Context;
use crate::{exit::Result, output::plans};

pub async fn run(context: &Context) -> Result<()> {
    let counts: Statistics = context.client.get("/statistics").await?;
    context.output.one(&counts, || plans::statistics(&counts))
}
