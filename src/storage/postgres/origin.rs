//! Which server is at the address.
//!
//! All copies of a Postgres share an identifier, and each promotion begins a timeline with a higher number. After a
//! failover the old primary may come back behind the same address: it would take writes that the new one never sees, and
//! tell as true what no longer is. So a connection to a lower timeline than the highest seen is refused, as is one to a
//! standby, and when a higher one is seen the connections from before are given up. Nodes tell each other what they have
//! seen, for one that has just started has seen nothing. Another identifier is another database, put there on purpose.

use crate::storage::Timeline;
use parking_lot::Mutex;
use sqlx::PgConnection;
use std::time::{Duration, Instant};

/// How long a refusal explains why there is no connection.
const EXPLAINS: Duration = Duration::from_secs(10);

/// What was seen at the address.
#[derive(Default)]
pub struct Origin(Mutex<State>);

#[derive(Default)]
struct State {
    newest: Option<Timeline>,
    /// When it took the place of another one.
    since: Option<Instant>,
    /// When a connection to it was found broken last.
    broke: Option<Instant>,
    refused: Option<(Instant, String)>,
}

impl State {
    fn replace(&mut self, now: Timeline) {
        let before = self.newest.replace(now);
        if let Some(before) = before.filter(|before| *before != now) {
            tracing::warn!(?before, ?now, "another Postgres is at the address");
            self.since = Some(Instant::now());
        }
    }
}

impl Origin {
    /// Looks where a new connection leads.
    ///
    /// # Errors
    /// When it is not to be used.
    pub async fn examine(&self, conn: &mut PgConnection) -> sqlx::Result<()> {
        // The control file tells the timeline of the last checkpoint, which a promotion does not wait for; the name of
        // the log's file tells that of now.
        const SQL: &str = "SELECT system_identifier, CASE WHEN pg_is_in_recovery() THEN NULL
                ELSE ('x' || substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8))::bit(32)::bigint END
            FROM pg_control_system()";
        let (system, number): (i64, Option<i64>) = sqlx::query_as(SQL).fetch_one(conn).await?;
        self.take(number.map(|number| Timeline { system, number })).map_err(sqlx::Error::Protocol)
    }

    /// A connection leads to this timeline; `None` is a standby.
    fn take(&self, timeline: Option<Timeline>) -> Result<(), String> {
        let mut state = self.0.lock();
        let refusal = match (state.newest, timeline) {
            (_, None) => "the server is a standby and cannot write".to_owned(),
            (Some(newest), Some(now)) if is_older(now, newest) => {
                let (now, newest) = (now.number, newest.number);
                format!("the server is an old primary, on timeline {now} after timeline {newest} was seen")
            }
            (_, Some(now)) => {
                state.refused = None;
                state.replace(now);
                return Ok(());
            }
        };
        if state.refused.is_none() {
            tracing::error!(reason = refusal, "connections to Postgres are refused");
        }
        state.refused = Some((Instant::now(), refusal.clone()));
        Err(refusal)
    }

    /// The newest that was seen.
    pub fn newest(&self) -> Option<Timeline> {
        self.0.lock().newest
    }

    /// Another node has seen this one.
    pub fn learn(&self, seen: Timeline) {
        let mut state = self.0.lock();
        if state.newest.is_some_and(|newest| is_older(newest, seen)) {
            state.replace(seen);
        }
    }

    /// Whether a connection of this age leads to what was at the address before.
    pub fn is_old(&self, age: Duration) -> bool {
        self.0.lock().since.is_some_and(|since| since.elapsed() < age)
    }

    /// A connection was found broken: those that were idle then may be too.
    pub fn broke(&self) {
        self.0.lock().broke = Some(Instant::now());
    }

    /// Whether a connection that was idle for so long was so when another one was found broken.
    pub fn is_suspect(&self, idle: Duration) -> bool {
        self.0.lock().broke.is_some_and(|broke| broke.elapsed() <= idle)
    }

    /// Why there is no connection, when a server was refused lately.
    pub fn refusal(&self) -> Option<String> {
        let state = self.0.lock();
        state.refused.as_ref().filter(|(at, _)| at.elapsed() < EXPLAINS).map(|(_, why)| why.clone())
    }
}

fn is_older(one: Timeline, other: Timeline) -> bool {
    one.system == other.system && one.number < other.number
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lower_timeline_and_a_standby_are_refused_and_another_database_is_not() {
        let origin = Origin::default();
        let at = |system, number| Some(Timeline { system, number });
        assert!(origin.take(None).is_err(), "a standby");
        assert_eq!(origin.take(at(7, 1)), Ok(()));
        assert!(!origin.is_old(Duration::from_secs(60)), "nothing was there before");
        assert_eq!(origin.take(at(7, 2)), Ok(()));
        assert!(origin.is_old(Duration::from_secs(60)) && !origin.is_old(Duration::ZERO));
        assert_eq!(origin.refusal(), None);
        let refused = origin.take(at(7, 1)).expect_err("it is the old primary");
        assert_eq!(origin.refusal(), Some(refused));
        assert_eq!(origin.take(at(7, 2)), Ok(()));
        assert_eq!(origin.refusal(), None);
        assert_eq!(origin.take(at(8, 1)), Ok(()));
    }

    #[test]
    fn what_was_idle_when_a_connection_broke_is_suspect_and_what_was_used_since_is_not() {
        let origin = Origin::default();
        assert!(!origin.is_suspect(Duration::from_secs(60)), "nothing broke");
        origin.broke();
        assert!(origin.is_suspect(Duration::from_secs(60)) && !origin.is_suspect(Duration::ZERO));
    }

    #[test]
    fn what_another_node_has_seen_counts_when_it_is_newer_and_of_the_same_database() {
        let origin = Origin::default();
        let at = |system, number| Timeline { system, number };
        origin.learn(at(7, 3));
        assert_eq!(origin.newest(), None, "nothing is known of this database");
        assert_eq!(origin.take(Some(at(7, 2))), Ok(()));
        origin.learn(at(7, 1));
        origin.learn(at(8, 9));
        assert_eq!(origin.newest(), Some(at(7, 2)));
        origin.learn(at(7, 3));
        assert!(origin.is_old(Duration::from_secs(60)), "connections from before are given up");
        assert!(origin.take(Some(at(7, 2))).is_err());
        assert_eq!(origin.take(Some(at(7, 3))), Ok(()));
    }
}
