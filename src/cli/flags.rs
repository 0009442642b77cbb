//! The flags, as they are given: what is wrong with them is said by the configuration, in the same words for flags,
//! variables and the file.

use crate::config::{ConfigError, Layers};
use clap::Args;
use std::path::{Path, PathBuf};
use toml::Value;

/// Where the file and the variables are.
#[derive(Args, Debug, Default)]
pub(super) struct FileFlag {
    /// The configuration file (TOML) [env: STOA_CONFIG]
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
}

impl FileFlag {
    /// The variables and the file, without flags.
    fn layers(&self) -> Result<Layers, ConfigError> {
        // A variable whose text is not Unicode cannot be one of ours.
        let variables = std::env::vars_os().filter_map(|(k, v)| Some((k.into_string().ok()?, v.into_string().ok()?)));
        let layers = Layers::new().variables(variables);
        let named = std::env::var_os("STOA_CONFIG").filter(|path| !path.is_empty()).map(PathBuf::from);
        match self.config.as_ref().or(named.as_ref()) {
            Some(path) => layers.file(Path::new(path)),
            None => Ok(layers),
        }
    }
}

/// Where the store is.
#[derive(Args, Debug, Default)]
pub(super) struct StoreFlags {
    #[command(flatten)]
    pub(super) file: FileFlag,
    /// The folder of the embedded store (SQLite) [env: STOA_DATA_DIR] [default: stoa-data]
    #[arg(long, value_name = "DIR", help_heading = "Store")]
    data_dir: Option<String>,
    /// The database: postgres://… or sqlite://… ; with a password better by the variable, for flags show in the
    /// process list [env: STOA_DATABASE_URL]
    #[arg(long, value_name = "URL", help_heading = "Store")]
    database_url: Option<String>,
    /// Vouch that a commit survives power loss although the database's settings do not say so
    /// [env: STOA_DATABASE_VOUCHED]
    #[arg(long, help_heading = "Store")]
    database_vouched: bool,
}

impl StoreFlags {
    pub(super) fn layers(&self) -> Result<Layers, ConfigError> {
        let layers = self.file.layers()?;
        let layers = one(layers, "data_dir", &self.data_dir);
        let layers = one(layers, "database_url", &self.database_url);
        Ok(switch(layers, "database_vouched", self.database_vouched))
    }
}

/// Whose tokens are believed.
#[derive(Args, Debug, Default)]
pub(super) struct IssuerFlags {
    /// A key that tokens are signed with: a public key in PEM, `FILE:kid=ID`, or a secret, `FILE:alg=HS256`;
    /// repeatable [env: STOA_KEY_FILE, with commas between]
    #[arg(long, value_name = "FILE", help_heading = "Tokens")]
    key_file: Vec<String>,
    /// The address of a key set, https or of this machine; repeatable [env: STOA_JWKS_URL]
    #[arg(long, value_name = "URL", help_heading = "Tokens")]
    jwks_url: Vec<String>,
    /// A key set in a file; repeatable [env: STOA_JWKS_FILE]
    #[arg(long, value_name = "FILE", help_heading = "Tokens")]
    jwks_file: Vec<String>,
    /// The file of the shared secret for HS256, at least 32 bytes; or the secret itself in STOA_SECRET
    /// [env: STOA_SECRET_FILE]
    #[arg(long, value_name = "FILE", help_heading = "Tokens")]
    secret_file: Option<String>,
    /// What `iss` of tokens must be [env: STOA_ISSUER]
    #[arg(long, value_name = "TEXT", help_heading = "Tokens")]
    issuer: Option<String>,
    /// What `aud` of tokens must have; repeatable [env: STOA_AUDIENCE]
    #[arg(long, value_name = "TEXT", help_heading = "Tokens")]
    audience: Vec<String>,
    /// The realm of these tokens' users, 1 to 32 of a-z, 0-9 and -; without it, the default realm [env: STOA_REALM]
    #[arg(long, value_name = "NAME", help_heading = "Tokens")]
    realm: Option<String>,
    /// Try it out: bind to this machine alone, and let anybody in by name [env: STOA_DEV]
    #[arg(long)]
    dev: bool,
}

impl IssuerFlags {
    pub(super) fn add_to(&self, layers: Layers) -> Layers {
        let layers = many(layers, "key_file", &self.key_file);
        let layers = many(layers, "jwks_url", &self.jwks_url);
        let layers = many(layers, "jwks_file", &self.jwks_file);
        let layers = one(layers, "secret_file", &self.secret_file);
        let layers = one(layers, "issuer", &self.issuer);
        let layers = many(layers, "audience", &self.audience);
        let layers = one(layers, "realm", &self.realm);
        switch(layers, "dev", self.dev)
    }
}

/// Everything that `serve` takes.
#[derive(Args, Debug, Default)]
pub(super) struct ServeFlags {
    /// The address and port to listen on [env: STOA_LISTEN] [default: 127.0.0.1:8080]
    #[arg(long, value_name = "ADDRESS")]
    listen: Option<String>,
    #[command(flatten)]
    store: StoreFlags,
    /// The Redis through which several nodes on one Postgres ring each other: redis://[user][:password@]host[:port], or
    /// rediss:// for TLS [env: STOA_REDIS_URL]
    #[arg(long, value_name = "URL", help_heading = "Cluster")]
    redis_url: Option<String>,
    /// What the names of Redis' channels begin with; the same on every node [env: STOA_REDIS_PREFIX] [default: stoa]
    #[arg(long, value_name = "TEXT", help_heading = "Cluster")]
    redis_prefix: Option<String>,
    /// The file of the key that signs what nodes say, at least 32 bytes, the same on every node; by default it is made
    /// of a secret in the database [env: STOA_CLUSTER_KEY_FILE]
    #[arg(long, value_name = "FILE", help_heading = "Cluster")]
    cluster_key_file: Option<String>,
    #[command(flatten)]
    issuer: IssuerFlags,
    /// Where browsers find the server, with its path prefix; its origin is always allowed [env: STOA_PUBLIC_URL]
    #[arg(long, value_name = "URL", help_heading = "Network")]
    public_url: Option<String>,
    /// An origin whose pages may call the server; repeatable [env: STOA_ALLOWED_ORIGIN, with commas between]
    #[arg(long, value_name = "ORIGIN", help_heading = "Network")]
    allowed_origin: Vec<String>,
    /// An origin whose pages may show the server's page below /embed inside of them, and send it tokens; repeatable;
    /// the allowed origins when absent [env: STOA_FRAME_ANCESTOR, with commas between]
    #[arg(long, value_name = "ORIGIN", help_heading = "Page")]
    frame_ancestor: Vec<String>,
    /// Where the page sends somebody without a token [env: STOA_LOGIN_URL]
    #[arg(long, value_name = "URL", help_heading = "Page")]
    login_url: Option<String>,
    /// Addresses of proxies whose X-Forwarded-For is believed; repeatable [env: STOA_TRUSTED_PROXY, with commas
    /// between]
    #[arg(long, value_name = "CIDR", help_heading = "Network")]
    trusted_proxy: Vec<String>,
    /// The certificate chain, PEM [env: STOA_TLS_CERT]
    #[arg(long, value_name = "FILE", help_heading = "Network")]
    tls_cert: Option<String>,
    /// The certificate's private key, PEM [env: STOA_TLS_KEY]
    #[arg(long, value_name = "FILE", help_heading = "Network")]
    tls_key: Option<String>,
    /// A STUN server, stun:host; repeatable [env: STOA_STUN_URL, with commas between]
    #[arg(long, value_name = "URL", help_heading = "Calls")]
    stun_url: Vec<String>,
    /// A TURN server, turn:host:3478?transport=udp or turns:host:443?transport=tcp; repeatable [env: STOA_TURN_URL, with
    /// commas between]
    #[arg(long, value_name = "URL", help_heading = "Calls")]
    turn_url: Vec<String>,
    /// The file of the secret that the TURN servers know as static-auth-secret [env: STOA_TURN_SECRET_FILE]
    #[arg(long, value_name = "FILE", help_heading = "Calls")]
    turn_secret_file: Option<String>,
    /// How long TURN credentials are good: seconds, or a number with s, m, h or d [env: STOA_TURN_TTL] [default: 1h]
    #[arg(long, value_name = "TIME", help_heading = "Calls")]
    turn_ttl: Option<String>,
    /// How the log looks: human or json; what it says is in STOA_LOG [env: STOA_LOG_FORMAT] [default: human]
    #[arg(long, value_name = "FORMAT")]
    log_format: Option<String>,
    /// Seconds that clients have to go when the server stops [env: STOA_DRAIN_SECONDS] [default: 20]
    #[arg(long, value_name = "SECONDS")]
    drain_seconds: Option<String>,
}

impl ServeFlags {
    pub(super) fn layers(&self) -> Result<Layers, ConfigError> {
        let layers = self.issuer.add_to(self.store.layers()?);
        let layers = one(layers, "listen", &self.listen);
        let layers = one(layers, "redis_url", &self.redis_url);
        let layers = one(layers, "redis_prefix", &self.redis_prefix);
        let layers = one(layers, "cluster_key_file", &self.cluster_key_file);
        let layers = one(layers, "public_url", &self.public_url);
        let layers = many(layers, "allowed_origin", &self.allowed_origin);
        let layers = many(layers, "frame_ancestor", &self.frame_ancestor);
        let layers = one(layers, "login_url", &self.login_url);
        let layers = many(layers, "trusted_proxy", &self.trusted_proxy);
        let layers = one(layers, "tls_cert", &self.tls_cert);
        let layers = one(layers, "tls_key", &self.tls_key);
        let layers = many(layers, "stun_url", &self.stun_url);
        let layers = many(layers, "turn_url", &self.turn_url);
        let layers = one(layers, "turn_secret_file", &self.turn_secret_file);
        let layers = one(layers, "turn_ttl", &self.turn_ttl);
        let layers = one(layers, "log_format", &self.log_format);
        Ok(one(layers, "drain_seconds", &self.drain_seconds))
    }
}

fn one(layers: Layers, key: &'static str, value: &Option<String>) -> Layers {
    match value {
        Some(text) => layers.flag(key, text.as_str()),
        None => layers,
    }
}

fn many(layers: Layers, key: &'static str, values: &[String]) -> Layers {
    match values {
        [] => layers,
        [..] => layers.flag(key, values.iter().map(|text| Value::from(text.as_str())).collect::<Vec<_>>()),
    }
}

fn switch(layers: Layers, key: &'static str, on: bool) -> Layers {
    if on { layers.flag(key, true) } else { layers }
}
