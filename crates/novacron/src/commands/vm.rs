//! `novacron vm …`

use novacron_types::VmRecord;

use super::Context;
use crate::{cli::VmCommand, client::escape, exit::Result, output::detail};

pub async fn run(context: &Context, command: VmCommand) -> Result<()> {
    match command {
        VmCommand::List { provider, limit } => {
            let query = provider.map(|provider| ("provider".to_owned(), provider)).into_iter().collect();
            context.list::<VmRecord>("/vms", query, limit).await
        }
        VmCommand::Show { vm } => {
            let vm: VmRecord = context.client.get(&format!("/vms/{}", escape(&vm))).await?;
            context.output.one(&vm, || detail::vm(&vm))
        }
    }
}
