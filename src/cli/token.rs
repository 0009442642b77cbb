//! `stoa token`: a token to try things out with.

use super::flags::{IssuerFlags, StoreFlags};
use crate::{
    auth::{Minter, Ticket, Verifier},
    clock::{Clock, SystemClock},
    config::{Config, ConfigError},
};
use clap::{Args, ValueEnum};
use stoa_protocol::{Role, RoomId};
use stoa_rooms::Grant;

/// The longest that a token made by hand holds, seconds: a year.
const LONGEST_S: u64 = 366 * 86_400;

/// What the token shall say.
#[derive(Args, Debug)]
pub(super) struct TokenFlags {
    #[command(flatten)]
    store: StoreFlags,
    #[command(flatten)]
    issuer: IssuerFlags,
    /// The user, as the subject of the token
    #[arg(long, value_name = "ID")]
    user: String,
    /// The user's display name
    #[arg(long, value_name = "TEXT")]
    name: Option<String>,
    /// A room that the token opens; repeatable. A token that names rooms opens these alone
    #[arg(long, value_name = "ID")]
    room: Vec<String>,
    /// The role in these rooms [default: member]
    #[arg(long, value_enum, requires = "room")]
    role: Option<RoleFlag>,
    /// The host application's own token: everything, in every room
    #[arg(long)]
    service: bool,
    /// The user may create rooms
    #[arg(long)]
    create: bool,
    /// The user may open direct rooms with anybody
    #[arg(long)]
    direct: bool,
    /// The user may join rooms by their id
    #[arg(long)]
    join: bool,
    /// Until it expires: seconds, or a number with s, m, h or d
    #[arg(long, value_name = "TIME", default_value = "1h", value_parser = seconds)]
    expires_in: u64,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum RoleFlag {
    Host,
    Member,
    Viewer,
}

/// Prints the token, and nothing else, on standard output.
pub(super) fn run(flags: &TokenFlags) -> anyhow::Result<()> {
    let config = Config::read(flags.issuer.add_to(flags.store.layers()?))?;
    let (minter, dev) = match &config.dev {
        Some(dev) => {
            let secret = crate::auth::dev_secret(dev)?;
            (Minter::dev(secret.clone()), Some(secret))
        }
        None => (config.issuers.iter().find_map(Minter::new).ok_or_else(no_secret)?, None),
    };
    let now = SystemClock::new().now();
    let token = minter.mint(&flags.ticket()?, now);
    // A token that the server would refuse is worth nothing.
    let refused = Verifier::new(&config, dev).examine(&token, now).err();
    match refused {
        Some(reason) => Err(ConfigError::new("token", format!("would be refused: {reason}")).into()),
        None => super::say(&format!("{token}\n")),
    }
}

fn no_secret() -> ConfigError {
    ConfigError::new("secret_file", "is missing: only a shared secret can sign (or --dev, with its data folder)")
}

impl TokenFlags {
    fn ticket(&self) -> Result<Ticket, ConfigError> {
        let role = match self.role {
            Some(RoleFlag::Host) => Role::Host,
            Some(RoleFlag::Viewer) => Role::Viewer,
            Some(RoleFlag::Member) | None => Role::Member,
        };
        let room = |id: &String| match RoomId::new(id) {
            Ok(room) => Ok((room, Grant::of(role))),
            Err(e) => Err(ConfigError::new("--room", format!("`{id}` {e}"))),
        };
        let rooms: Vec<(RoomId, Grant)> = self.room.iter().map(room).collect::<Result<_, _>>()?;
        Ok(Ticket {
            name: self.name.clone(),
            rooms: (!rooms.is_empty()).then_some(rooms),
            create: self.create.then_some(true),
            direct: self.direct.then_some(true),
            join: self.join.then_some(true),
            service: self.service,
            expires_in_s: self.expires_in,
            ..Ticket::of(self.user.as_str())
        })
    }
}

fn seconds(text: &str) -> Result<u64, String> {
    match crate::config::seconds(text)? {
        seconds if (1..=LONGEST_S).contains(&seconds) => Ok(seconds),
        _ => Err(format!("`{text}` is not within 1s and {}d", LONGEST_S / 86_400)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_has_a_unit() {
        for (text, expected) in [("90", 90), ("90s", 90), ("15m", 900), ("2h", 7_200), ("1d", 86_400)] {
            assert_eq!(seconds(text), Ok(expected));
        }
        for bad in ["", "0", "h", "1w", "-1", "1.5h", "367d", "99999999999999999999d"] {
            assert!(seconds(bad).is_err(), "{bad}");
        }
    }
}
