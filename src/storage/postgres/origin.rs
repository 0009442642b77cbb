//! Which server is at the address.
//!
//! All copies of a Postgres share an identifier, and each promotion begins a timeline with a higher number. After a
//! failover the old primary may come back behind the same address: it would take writes that the new one never sees, and
//! tell as true what no longer is. So a connection to a lower timeline than the highest seen is refused, as is one to a
//! standby, and when a higher one is seen the connections from before are given up. Another identifier is another
//! database, put there on purpose.

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
    newest: Option<Place>,
    /// When it took the place of another one.
    since: Option<Instant>,
    refused: Option<(Instant, String)>,
}

/// One life of one database.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Place {
    system: i64,
    /// `None` at a standby.
    timeline: Option<i64>,
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
        let (system, timeline) = sqlx::query_as(SQL).fetch_one(conn).await?;
        self.take(Place { system, timeline }).map_err(sqlx::Error::Protocol)
    }

    fn take(&self, place: Place) -> Result<(), String> {
        let mut state = self.0.lock();
        let refusal = match (state.newest, place.timeline) {
            (_, None) => Some("the server is a standby and cannot write".to_owned()),
            (Some(Place { system, timeline: Some(newest) }), Some(now)) if system == place.system && now < newest => {
                Some(format!("the server is an old primary, on timeline {now} after timeline {newest} was seen"))
            }
            (_, Some(_)) => None,
        };
        if let Some(refusal) = refusal {
            if state.refused.is_none() {
                tracing::error!(reason = refusal, "connections to Postgres are refused");
            }
            state.refused = Some((Instant::now(), refusal.clone()));
            return Err(refusal);
        }
        state.refused = None;
        let before = state.newest.replace(place);
        if let Some(before) = before.filter(|before| *before != place) {
            tracing::warn!(?before, now = ?place, "another Postgres is at the address");
            state.since = Some(Instant::now());
        }
        Ok(())
    }

    /// Whether a connection of this age leads to what was at the address before.
    pub fn is_old(&self, age: Duration) -> bool {
        self.0.lock().since.is_some_and(|since| since.elapsed() < age)
    }

    /// Why there is no connection, when a server was refused lately.
    pub fn refusal(&self) -> Option<String> {
        let state = self.0.lock();
        state.refused.as_ref().filter(|(at, _)| at.elapsed() < EXPLAINS).map(|(_, why)| why.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lower_timeline_and_a_standby_are_refused_and_another_database_is_not() {
        let origin = Origin::default();
        let place = |system, timeline| Place { system, timeline };
        assert!(origin.take(place(7, None)).is_err(), "a standby");
        assert_eq!(origin.take(place(7, Some(1))), Ok(()));
        assert!(!origin.is_old(Duration::from_secs(60)), "nothing was there before");
        assert_eq!(origin.take(place(7, Some(2))), Ok(()));
        assert!(origin.is_old(Duration::from_secs(60)) && !origin.is_old(Duration::ZERO));
        assert_eq!(origin.refusal(), None);
        let refused = origin.take(place(7, Some(1))).expect_err("it is the old primary");
        assert_eq!(origin.refusal(), Some(refused));
        assert_eq!(origin.take(place(7, Some(2))), Ok(()));
        assert_eq!(origin.refusal(), None);
        assert_eq!(origin.take(place(8, Some(1))), Ok(()));
    }
}
