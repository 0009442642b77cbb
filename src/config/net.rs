//! Addresses: where the server listens, which origins may call it, which proxies it believes.

use std::{
    fmt,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    str::FromStr,
};
use url::Url;

/// Reads an address and port; `localhost` stands for 127.0.0.1, because names are not looked up.
pub(super) fn listen(text: &str) -> Result<SocketAddr, String> {
    if let Some(port) = text.strip_prefix("localhost:").and_then(|port| port.parse().ok()) {
        return Ok(SocketAddr::from((Ipv4Addr::LOCALHOST, port)));
    }
    text.parse().map_err(|_| format!("`{text}` is no address and port such as 127.0.0.1:8080 or [::]:8080"))
}

/// An origin (RFC 6454) as browsers write it: scheme, host, and the port where it is not the scheme's own.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Origin(String);

impl Origin {
    /// The origin as it stands in the header.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    fn of(url: &Url) -> Result<Self, String> {
        match url.scheme() {
            "http" | "https" if url.has_host() => Ok(Self(url.origin().ascii_serialization())),
            _ => Err(format!("`{url}` is no http or https address")),
        }
    }
}

impl FromStr for Origin {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let url = Url::parse(text).map_err(|_| format!("`{text}` is no origin such as https://app.example"))?;
        let origin = Self::of(&url)?;
        // Whoever writes more than an origin expects more of it than it does.
        if url.as_str().trim_end_matches('/') != origin.0 || text.contains(['@', '*']) {
            return Err(format!("`{text}` is more than an origin; `{}` is one", origin.0));
        }
        Ok(origin)
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Which pages may call the server.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Origins {
    pub(super) listed: Vec<Origin>,
    /// With `--dev` the pages of this machine, whatever their port.
    pub(super) loopback: bool,
}

impl Origins {
    /// Those of the list.
    ///
    /// # Errors
    /// A sentence that names the one that is no origin.
    pub fn new<S: AsRef<str>>(list: impl IntoIterator<Item = S>) -> Result<Self, String> {
        let listed = list.into_iter().map(|origin| origin.as_ref().parse()).collect::<Result<_, _>>()?;
        Ok(Self { listed, loopback: false })
    }

    /// Whether the value of an `Origin` header is allowed. The comparison is of whole strings as browsers write
    /// them, so `null`, suffixes and other spellings are refused. Who sends no such header is no browser; that is the
    /// caller's to decide.
    pub fn allows(&self, header: &str) -> bool {
        self.listed.iter().any(|origin| origin.0 == header) || (self.loopback && is_loopback_origin(header))
    }

    /// Those on the list.
    pub fn listed(&self) -> &[Origin] {
        &self.listed
    }
}

fn is_loopback_origin(header: &str) -> bool {
    // Only what is spelled as a browser spells it: parsing would forgive too much.
    let Ok(origin) = header.parse::<Origin>() else { return false };
    let Ok(url) = Url::parse(&origin.0) else { return false };
    origin.0 == header && is_loopback(&url)
}

/// Whether an address names this machine.
pub(super) fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(url::Host::Ipv4(ip)) => ip.is_loopback(),
        Some(url::Host::Ipv6(ip)) => ip.is_loopback(),
        Some(url::Host::Domain(name)) => name == "localhost",
        None => false,
    }
}

/// Where browsers find the server: an origin, and a path prefix where a proxy serves it under one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublicUrl {
    origin: Origin,
    prefix: String,
}

impl PublicUrl {
    /// The origin; pages from it are always allowed.
    pub fn origin(&self) -> &Origin {
        &self.origin
    }

    /// The path prefix, with its first slash and without its last: `/stoa`, or nothing.
    pub fn prefix(&self) -> &str {
        &self.prefix
    }
}

impl FromStr for PublicUrl {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let url = Url::parse(text).map_err(|_| format!("`{text}` is no address such as https://app.example/stoa"))?;
        let origin = Origin::of(&url)?;
        let bare = url.query().is_none() && url.fragment().is_none();
        if !bare || !url.username().is_empty() || url.password().is_some() {
            return Err("must have an origin and a path alone".into());
        }
        let prefix = url.path().trim_end_matches('/').to_owned();
        let plain = |c: char| c.is_ascii_alphanumeric() || "-._~/".contains(c);
        if !prefix.chars().all(plain) || prefix.contains("//") {
            return Err(format!("the path `{prefix}` has more than letters, digits, and -._~ between single slashes"));
        }
        Ok(Self { origin, prefix })
    }
}

impl fmt::Display for PublicUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.origin, self.prefix)
    }
}

/// A range of addresses (RFC 4632): `10.0.0.0/8`, or one address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cidr {
    base: u128,
    mask: u128,
    shown: (IpAddr, u8),
}

impl Cidr {
    /// Whether the range has the address. IPv4 addresses inside IPv6 ones are compared as IPv4.
    pub fn contains(&self, address: IpAddr) -> bool {
        address.to_canonical().is_ipv4() == self.shown.0.is_ipv4() && widen(address) & self.mask == self.base
    }
}

/// Both families in one: IPv4 at the end of its IPv6 mapping (RFC 4291, section 2.5.5.2).
fn widen(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(v4) => v4.to_ipv6_mapped().to_bits(),
        IpAddr::V6(v6) => v6.to_bits(),
    }
}

impl FromStr for Cidr {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("`{text}` is no address range such as 10.0.0.0/8");
        let (address, length) = match text.split_once('/') {
            Some((address, length)) => (address, Some(length.parse::<u8>().map_err(|_| wrong())?)),
            None => (text, None),
        };
        let address = address.parse::<IpAddr>().map_err(|_| wrong())?.to_canonical();
        let width = if address.is_ipv4() { 32 } else { 128 };
        let length = length.unwrap_or(width);
        if length > width {
            return Err(wrong());
        }
        let host_bits = u32::from(width - length);
        let mask = u128::MAX.checked_shl(host_bits).unwrap_or(0);
        let base = widen(address);
        if base & !mask != 0 {
            return Err(format!("`{text}` has bits set behind its prefix"));
        }
        Ok(Self { base, mask, shown: (address, length) })
    }
}

impl fmt::Display for Cidr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.shown.0, self.shown.1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_origin_is_compared_as_a_whole() {
        let listed = vec!["https://app.example".parse().expect("an origin")];
        let origins = Origins { listed, loopback: false };
        assert!(origins.allows("https://app.example"));
        for bad in [
            "null",
            "",
            "https://app.example.evil.example",
            "https://evil-app.example",
            "https://app.example:444",
            "http://app.example",
            "https://app.example/",
            "HTTPS://APP.EXAMPLE",
            "https://app.example@evil.example",
            "http://localhost:5173",
        ] {
            assert!(!origins.allows(bad), "{bad:?}");
        }
    }

    #[test]
    fn a_listed_origin_is_normal_and_nothing_more() {
        for (given, normal) in
            [("https://App.Example:443/", "https://app.example"), ("http://[::1]:80", "http://[::1]")]
        {
            assert_eq!(given.parse::<Origin>().expect(given).as_str(), normal);
        }
        for bad in ["*", "https://*.example", "null", "app.example", "https://a.example/x", "ftp://a.example", ""] {
            assert!(bad.parse::<Origin>().is_err(), "{bad:?}");
        }
    }

    #[test]
    fn with_dev_pages_of_this_machine_are_allowed() {
        let origins = Origins { listed: Vec::new(), loopback: true };
        for good in ["http://localhost:5173", "http://127.0.0.1:8080", "http://[::1]:1", "https://localhost"] {
            assert!(origins.allows(good), "{good}");
        }
        for bad in ["http://localhost.evil.example", "http://127.0.0.1.evil.example", "http://10.0.0.1", "null"] {
            assert!(!origins.allows(bad), "{bad}");
        }
    }

    #[test]
    fn a_public_url_has_an_origin_and_a_prefix() {
        let url: PublicUrl = "https://app.example/stoa/".parse().expect("legal");
        assert_eq!((url.origin().as_str(), url.prefix()), ("https://app.example", "/stoa"));
        let url: PublicUrl = "https://app.example".parse().expect("legal");
        assert_eq!(url.prefix(), "");
        for bad in ["app.example", "https://a.example/?x", "https://u:p@a.example", "https://a.example/<b>"] {
            assert!(bad.parse::<PublicUrl>().is_err(), "{bad}");
        }
    }

    #[test]
    fn a_range_has_its_addresses_and_no_others() {
        let ten: Cidr = "10.0.0.0/8".parse().expect("legal");
        assert!(ten.contains("10.255.0.1".parse().expect("ip")));
        assert!(ten.contains("::ffff:10.1.2.3".parse().expect("ip")));
        assert!(!ten.contains("11.0.0.1".parse().expect("ip")));
        let all: Cidr = "0.0.0.0/0".parse().expect("legal");
        assert!(all.contains("8.8.8.8".parse().expect("ip")) && !all.contains("2001:db8::1".parse().expect("ip")));
        let one: Cidr = "::1".parse().expect("legal");
        assert!(one.contains("::1".parse().expect("ip")) && !one.contains("::2".parse().expect("ip")));
        for bad in ["10.0.0.1/8", "10.0.0.0/33", "::/129", "10.0.0.0/-1", "10", "/8", ""] {
            assert!(bad.parse::<Cidr>().is_err(), "{bad:?}");
        }
    }
}
