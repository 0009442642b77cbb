//! Versions: kept by time, by name, and before a document is set back.

use super::actor::{Actor, Then, VERSION_EVERY, heavy};
use crate::storage::NewVersion;
use std::time::Duration;
use stoa_protocol::{DocumentVersion, Fault, Millis, UserId, VersionReason, limits};
use tokio::{sync::oneshot, time::Instant};

type Reply = oneshot::Sender<Result<DocumentVersion, Fault>>;

/// Versions that are kept by themselves: a day's work at one every ten minutes, and some.
const BY_TIME: u32 = 50;
/// Versions from before a document was set back.
const BEFORE_RESTORE: u32 = 20;

impl Actor {
    /// Keeps the state of now when it has changed since the last version, at the latest `within` after that. Another
    /// node may have kept one.
    pub(super) async fn keep_time_version(&mut self, within: Duration) {
        let Some(changed_at) = self.changed_at else { return };
        match self.newest_version().await {
            Ok(Some(newest)) if newest >= changed_at => self.changed_at = None,
            Ok(newest) => {
                let due = newest.map_or(0, |newest| newest + within.as_millis() as Millis);
                let wait = Duration::from_millis(due.saturating_sub(self.hub.clock().now()));
                if wait.is_zero() {
                    self.try_time_version().await;
                } else {
                    self.version_at = Instant::now() + wait;
                }
            }
            Err(fault) => self.no_time_version(&fault),
        }
    }

    async fn try_time_version(&mut self) {
        if let Err(fault) = self.keep(VersionReason::Time, String::new(), None, BY_TIME).await {
            self.no_time_version(&fault);
        }
    }

    fn no_time_version(&mut self, fault: &Fault) {
        tracing::warn!(%fault, room = %self.key.room, document = %self.key.document, "no version could be kept");
        self.version_at = Instant::now() + VERSION_EVERY;
    }

    /// When the newest version was kept, on any node.
    async fn newest_version(&mut self) -> Result<Option<Millis>, Fault> {
        let newest = self.hub.store().versions(&self.key, None, 1).await.map_err(|error| Self::fault(&error))?;
        Ok(newest.first().map(|version| version.at))
    }

    /// Keeps the state of now under a name.
    pub(super) async fn keep_named(&mut self, title: String, by: UserId) -> Result<DocumentVersion, Fault> {
        self.keep(VersionReason::Named, title, Some(by), limits::NAMED_VERSIONS as u32).await
    }

    async fn keep(
        &mut self,
        reason: VersionReason,
        title: String,
        by: Option<UserId>,
        most: u32,
    ) -> Result<DocumentVersion, Fault> {
        let content = self.content()?;
        let version = NewVersion { at: self.hub.clock().now(), reason, title, by, content };
        let kept = self.hub.store().put_version(&self.key, &version, most).await;
        let kept = kept.map_err(|error| Self::fault(&error))?;
        (self.changed_at, self.version_at) = (None, Instant::now() + VERSION_EVERY);
        Ok(kept)
    }

    /// Sets the document back by a new edit; what it was is kept first. Answers when the edit is saved.
    pub(super) async fn restore(&mut self, version: u64, by: UserId, reply: Reply) {
        match self.set_back(version, &by).await {
            Ok((kept, update)) => self.take_own(by, update, Then { kept, reply }),
            // Whoever asked may have gone.
            Err(fault) => drop(reply.send(Err(fault))),
        }
    }

    /// The edit that sets the document back, and the version that keeps what it was.
    async fn set_back(&mut self, version: u64, by: &UserId) -> Result<(DocumentVersion, Vec<u8>), Fault> {
        let found = self.hub.store().version(&self.key, version).await;
        let (_, content) = found.map_err(|error| Self::fault(&error))?.ok_or_else(|| Fault::not_found("version"))?;
        let kept = self.keep(VersionReason::Restore, String::new(), Some(by.clone()), BEFORE_RESTORE).await?;
        let update = heavy(usize::MAX, || self.replica.setting_back(&content)).map_err(|error| {
            tracing::error!(%error, room = %self.key.room, document = %self.key.document, "could not be set back");
            Fault::internal()
        })?;
        Ok((kept, update))
    }
}
