//! What the server's own page needs to know: where people log in, and which pages may show it inside of them.

use super::{
    net::Origin,
    source::{ConfigError, Reader, text},
};
use std::{fmt, str::FromStr};
use url::Url;

/// What a page on this machine may be shown in with `--dev`, whatever its port; a source of the Content Security
/// Policy.
const LOOPBACK: [&str; 2] = ["http://localhost:*", "http://127.0.0.1:*"];

/// The page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PageConfig {
    /// Where somebody without a token is sent.
    pub login_url: Option<LoginUrl>,
    /// Who may show the page below `/embed` inside of their own, and send it tokens: origins, and with `--dev` those
    /// of this machine with `*` for the port.
    pub parents: Vec<String>,
}

impl PageConfig {
    /// `allowed` are the origins whose pages may call the server: while nobody is named, they may embed it too.
    pub(super) fn read(r: &mut Reader, allowed: &[Origin], dev: bool) -> Result<Self, ConfigError> {
        let login_url = r.optional("login_url", |v| text(v)?.parse::<LoginUrl>())?;
        let named = r.list("frame_ancestor", |v| text(v)?.parse::<Origin>())?;
        let named = if r.is_set("frame_ancestor") { named } else { allowed.to_vec() };
        let mut parents: Vec<String> = named.iter().map(ToString::to_string).collect();
        if dev {
            parents.extend(LOOPBACK.map(str::to_owned));
        }
        Ok(Self { login_url, parents })
    }
}

/// Where people log in: an http or https address, or a path on the server's own origin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LoginUrl(String);

impl LoginUrl {
    /// The address.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for LoginUrl {
    type Err = String;

    fn from_str(given: &str) -> Result<Self, String> {
        let wrong = || format!("`{given}` is neither an http or https address nor a path such as /login");
        // `//host` and `/\host` are other hosts to a browser.
        if given.starts_with('/') && !given.starts_with("//") && !given.contains('\\') {
            let base = Url::parse("https://stoa.invalid").expect("an address");
            let url = base.join(given).map_err(|_| wrong())?;
            return Ok(Self(url[url::Position::BeforePath..].to_owned()));
        }
        let url = Url::parse(given).map_err(|_| wrong())?;
        match url.scheme() {
            "http" | "https" if url.has_host() && url.username().is_empty() && url.password().is_none() => {
                Ok(Self(url.to_string()))
            }
            _ => Err(wrong()),
        }
    }
}

impl fmt::Display for LoginUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn people_log_in_at_an_address_and_nowhere_else() {
        for (given, kept) in [
            ("https://app.example/login?from=stoa", "https://app.example/login?from=stoa"),
            ("/login", "/login"),
            ("http://10.0.0.1:3000", "http://10.0.0.1:3000/"),
        ] {
            assert_eq!(given.parse::<LoginUrl>().expect(given).as_str(), kept);
        }
        for bad in
            ["javascript:alert(1)", "//evil.example", "/\\evil.example", "login", "data:text/html,x", "", "ftp://a"]
        {
            assert!(bad.parse::<LoginUrl>().is_err(), "{bad:?}");
        }
        assert!("https://u:p@app.example/".parse::<LoginUrl>().is_err(), "no password in it");
    }
}
