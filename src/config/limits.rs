//! Every bound that an operator may move, once, with its reason.

use super::source::{ConfigError, Reader};

macro_rules! limits {
    ($($(#[$doc:meta])* $name:ident: $type:ty = $default:expr, $least:literal..=$most:literal;)*) => {
        /// The bounds on what strangers, users, connections and rooms may take.
        ///
        /// Each is the key `limits.<name>` and the variable `STOA_LIMITS_<NAME>`. Rates are token buckets that hold
        /// `burst_s` seconds' worth.
        #[derive(Debug, Clone, PartialEq, Eq)]
        pub struct Limits {
            $($(#[$doc])* pub $name: $type,)*
        }

        impl Default for Limits {
            fn default() -> Self {
                Self { $($name: $default,)* }
            }
        }

        impl Limits {
            pub(super) fn read(reader: &mut Reader) -> Result<Self, ConfigError> {
                Ok(Self {
                    $($name: {
                        let number = reader.number(concat!("limits.", stringify!($name)), $default, $least..=$most)?;
                        <$type>::try_from(number).expect("the bounds fit the type")
                    },)*
                })
            }
        }
    };
}

limits! {
    /// Connections of the whole process. Beyond it the listener stops accepting; 50,000 idle ones take some 300 MiB.
    connections: u32 = 50_000, 1..=1_000_000;
    /// Connections of one address that have not said `hello`. A class of a thousand behind one address passes,
    /// because each counts for some milliseconds only.
    unauthenticated_per_address: u32 = 256, 1..=100_000;
    /// Milliseconds until the headers of a request must have ended.
    header_ms: u64 = 5_000, 100..=60_000;
    /// Milliseconds from the upgrade until `hello` must have come.
    hello_ms: u64 = 5_000, 100..=60_000;
    /// Connections of one user over all devices and tabs.
    connections_per_user: u32 = 20, 1..=10_000;
    /// Rooms that one connection may have open.
    rooms_per_connection: u32 = 200, 1..=10_000;
    /// Illegal frames after which a connection is closed.
    strikes: u32 = 10, 1..=1_000;
    /// Seconds' worth of each rate below that may come at once.
    burst_s: u32 = 3, 1..=60;
    /// Frames per second of one connection.
    frames_per_s: u32 = 100, 1..=1_000_000;
    /// Durable commands per second of one user, over all connections and HTTP.
    commands_per_user_s: u32 = 20, 1..=1_000_000;
    /// Durable commands per second in one room: each is delivered to everybody in it.
    commands_per_room_s: u32 = 500, 1..=1_000_000;
    /// Pages of history, search and lists per second of one user: each costs the store a query.
    history_per_s: u32 = 20, 1..=1_000_000;
    /// Typing and other passing frames per second of one connection.
    typing_per_s: u32 = 5, 1..=1_000_000;
    /// HTTP requests per second of one user.
    http_per_s: u32 = 50, 1..=1_000_000;
    /// Largest body of an HTTP request, bytes: a thousand members with their `data` in bulk.
    http_body_bytes: u32 = 1_048_576, 65_536..=16_777_216;
    /// MiB of one shared document: each node that has it open holds it in memory, some ten times as large. A board of ten
    /// thousand shapes has 2.4.
    document_mib: u32 = 24, 1..=256;
    /// MiB that the images of one room may have together: they are in the database and in every backup.
    room_images_mib: u32 = 256, 1..=1_048_576;
    /// Bytes that may wait for one slow reader before it is told to catch up from its cursor.
    mailbox_bytes: u32 = 262_144, 65_536..=16_777_216;
    /// Milliseconds of silence after which a connection is taken for lost.
    idle_ms: u64 = 30_000, 1_000..=600_000;
    /// Events of one room kept in memory for those who resume.
    ring_events: u32 = 512, 1..=65_536;
    /// Bytes of them.
    ring_bytes: u32 = 1_048_576, 65_536..=67_108_864;
    /// Milliseconds after which a room that nobody has open leaves memory.
    room_idle_ms: u64 = 60_000, 1_000..=86_400_000;
    /// Commands that wait for the writer. Beyond it the answer is `overloaded`.
    writer_queue: u32 = 10_000, 16..=1_000_000;
    /// Connections to Postgres.
    database_connections: u32 = 16, 2..=1_000;
}
