//! `novacron serve`: the control plane, wired.
//!
//! ```text
//!  configuration ─▶ log ─▶ data directory ─▶ store ─▶ mover (child) ─▶ control ─▶ API
//! ```
//!
//! It stops in the other order, so that nothing is asked of what is gone.

mod lock;
mod logging;
mod mover;
mod notify;
mod preflight;
mod refresh;
mod stop_signal;

use std::{
    net::SocketAddr,
    sync::Arc,
    time::{Duration, Instant},
};

use novacron_api::{ApiConfig, ServeError, TlsFiles, Token};
use novacron_config::{Config, Overrides};
use novacron_control::{Control, ControlSettings, EngineConfig, PlacingSettings};
use novacron_store::{OpenError, Store};
use novacron_types::ProviderName;
use secrecy::ExposeSecret;
use tokio::{sync::oneshot, task::JoinHandle};

pub use lock::DataDir;
#[cfg(feature = "sandbox")]
pub use logging::install as install_log;
pub use logging::install_for_people as log_for_people;
pub use mover::run as run_mover;
pub use preflight::{check as check_config, shown as shown_file};
pub use stop_signal::StopSignals;

use crate::{
    cli::ServeArgs,
    commands,
    exit::{Failure, Result},
    output::Output,
    registry,
};

/// `novacron serve`
pub async fn run(args: ServeArgs, output: &Output, verbose: u8) -> Result<()> {
    let began = Instant::now();
    let overrides = Overrides { data_dir: args.data_dir, listen: args.listen, store_url: None };
    let loaded = commands::config::load(&args.file, overrides)?;
    let mut placing = preflight::check(&loaded).await?;
    placing.settings.refresh = refresh::settings(&loaded, &mut placing.notes).await?;
    logging::install(&loaded.config.logging, verbose)?;
    for key in &loaded.config.ineffective {
        tracing::warn!("{key}");
    }
    for note in &placing.notes {
        tracing::warn!("{note}");
    }
    // Before it is ready: its manager may stop it at once.
    let mut stop = StopSignals::listen().map_err(|error| Failure::failed("cannot listen to signals").why(error))?;
    let server = tokio::select! {
        server = Server::start(loaded.config, placing.settings, verbose) => server?,
        () = stop.next() => {
            output.note("Stopped before it was ready.");
            return Ok(());
        }
    };
    notify::notify("READY=1");
    output.note(format_args!(
        "novacron {} is ready at {} after {} ms; its state is in {}",
        env!("CARGO_PKG_VERSION"),
        server.url(),
        began.elapsed().as_millis(),
        server.place,
    ));
    stop.next().await;
    notify::notify("STOPPING=1");
    output.note("Stopping; what is under way goes on at the next start. Ctrl-C again stops at once.");
    tokio::select! {
        stopped = server.stop() => stopped,
        () = stop.next() => Ok(()),
    }
}

/// A control plane that serves.
pub struct Server {
    address: SocketAddr,
    tls: bool,
    place: String,
    grace: Duration,
    control: Control,
    store: Store,
    mover: mover::Mover,
    stop: oneshot::Sender<()>,
    api: JoinHandle<Result<(), ServeError>>,
    _data: DataDir,
}

impl Server {
    pub async fn start(config: Config, placing: PlacingSettings, verbose: u8) -> Result<Self> {
        let api = api_config(&config)?;
        let grace = api.shutdown;
        let tls = api.tls.is_some();
        // First, because it is the likeliest to fail.
        let listener = novacron_api::bind(config.server.listen, &api).await.map_err(|error| cannot_serve(&error))?;
        let address = listener.local_addr().map_err(|error| Failure::failed("cannot listen").why(error))?;
        let data = DataDir::open(&config.data_dir)?;
        let memory = config.mover.memory_limit.0;
        let (store, mover) =
            tokio::try_join!(open_store(&config, &data), mover::Mover::start(&data, &config.logging, verbose, memory))?;
        let place = store.place().to_owned();
        let settings = ControlSettings {
            local: local(&config)?,
            providers: config.providers,
            defaults: config.migration_options,
            grace: config.grace_period,
            retention: config.store.retention,
            placing,
            // The lock of the data directory says that nobody else has this name.
            engine: EngineConfig { owner: data.owner()?, sole_owner: true, ..EngineConfig::default() },
        };
        let control = Control::start(settings, &registry::registry(), store.clone(), Arc::new(mover.child.client()))
            .await
            .map_err(|error| Failure::usage(error.message).maybe_hint(error.advice))?;
        let (stop, stopped) = oneshot::channel();
        let shutdown = async move { drop(stopped.await) };
        let api = tokio::spawn(novacron_api::serve(listener, control.clone(), api, shutdown));
        Ok(Self { address, tls, place, grace, control, store, mover, stop, api, _data: data })
    }

    pub fn url(&self) -> String {
        format!("http{}://{}", if self.tls { "s" } else { "" }, self.address)
    }

    /// Lets answers end, gives the work that runs back to the store, and stops the mover.
    pub async fn stop(self) -> Result<()> {
        let _ = self.stop.send(());
        let served = self.api.await;
        self.control.shutdown(grace_for_work(&self.store, self.grace).await).await;
        self.mover.stop().await;
        self.store.close().await;
        match served {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) => Err(cannot_serve(&error)),
            Err(error) => Err(Failure::failed("the API broke").why(error)),
        }
    }
}

/// What a database that is there needs at most to say so.
const DATABASE_ANSWERS: Duration = Duration::from_secs(1);

/// How long the work may take to give itself back. Without its database it can't, however long it is given.
async fn grace_for_work(store: &Store, grace: Duration) -> Duration {
    match tokio::time::timeout(DATABASE_ANSWERS, store.ping()).await {
        Ok(Ok(())) => grace,
        _ => {
            tracing::warn!("the database does not answer: operations are taken up again when their leases end");
            Duration::ZERO
        }
    }
}

async fn open_store(config: &Config, data: &DataDir) -> Result<Store> {
    let url = match &config.store.url {
        Some(url) => url.expose_secret().to_owned(),
        None => format!("sqlite://{}", data.path().join("placements.db").display()),
    };
    Store::open(&url).await.map_err(store_refused)
}

fn store_refused(error: OpenError) -> Failure {
    let hint = match &error {
        OpenError::NewerSchema { .. } => "Install the newer NovaCron, or name another data directory with --data-dir.",
        OpenError::Url(_) => "Look at `store.url` in the configuration.",
        OpenError::Database { .. } => "Is the database up, and are the user, password and name in `store.url` right?",
        _ => "Look at the file and its directory, or name another data directory with --data-dir.",
    };
    Failure::failed("cannot open the store").why(error).hint(hint)
}

fn api_config(config: &Config) -> Result<ApiConfig> {
    let token = |token: &novacron_config::TokenConfig| {
        let sha256 = token.sha256().map_err(|why| Failure::usage("a token can't be used").why(why))?;
        Ok(Token { name: token.name.clone(), role: token.role, sha256 })
    };
    Ok(ApiConfig {
        tokens: config.server.tokens.iter().map(token).collect::<Result<_>>()?,
        tls: config
            .server
            .tls
            .as_ref()
            .map(|tls| TlsFiles { cert_file: tls.cert_file.clone(), key_file: tls.key_file.clone() }),
        max_connections: config.server.max_connections,
        shutdown: Duration::from_secs(config.server.shutdown_seconds),
    })
}

/// The provider that `local` means.
fn local(config: &Config) -> Result<ProviderName> {
    let named = config.providers.iter().find(|provider| provider.name.as_str() == "local");
    named.map(|provider| provider.name.clone()).ok_or_else(|| {
        Failure::usage("the configuration has no provider named `local`, the federation's own host")
            .hint("Take `enabled: false` out of the block `local`, or name a provider `local`.")
    })
}

fn cannot_serve(error: &ServeError) -> Failure {
    let failure = Failure::failed("cannot serve the API").why(error);
    match error {
        ServeError::InUse(_) => failure.hint("novacron serve --listen 127.0.0.1:PORT"),
        ServeError::Exposed(_) | ServeError::Tls(_) => failure.into_usage(),
        ServeError::Bind { .. } | ServeError::Listener(_) => failure,
    }
}
