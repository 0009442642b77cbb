//! server

/// Runs the server until it is told to stop.
pub async fn run(config: crate::config::Config) -> anyhow::Result<()> {
    anyhow::bail!("nothing listens on {} yet", config.listen)
}
