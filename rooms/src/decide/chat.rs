//! What is said, and what is done with what was said.

use super::{Case, Facts, Target};
use stoa_protocol::{Capability, ChatBody, Data, Fault, Millis, RoomEventBody, Seq, UserEventBody, UserId, limits};

impl Case<'_> {
    pub(super) fn send(&self, body: &ChatBody) -> Result<Facts, Fault> {
        self.need(Capability::Send)?;
        if body.announcement || body.mention_all {
            self.need(Capability::Announce)?;
        }
        self.need_pace()?;
        let mut body = body.clone();
        match (body.thread, body.reply_to) {
            (Some(root), _) => {
                let target = self.visible_target("thread", root)?;
                // A thread has one level: who answers inside it answers its first message.
                body.thread = Some(target.thread.unwrap_or(root));
            }
            (None, Some(answered)) => {
                let target = self.visible_target("reply_to", answered)?;
                body.thread = target.thread;
            }
            (None, None) => {}
        }
        self.clean_mentions(&mut body.mentions);
        let told = body.mentions.clone();
        Ok(self.mentioning(Facts::one(RoomEventBody::ChatSent(body)), &told, self.room.head().next()))
    }

    /// Slow mode does not hold for those who moderate.
    fn need_pace(&self) -> Result<(), Fault> {
        let window = Millis::from(self.room.info().slow_mode_s) * 1_000;
        if window == 0 || self.access.has(Capability::Moderate) {
            return Ok(());
        }
        let next = self.room.last_sent(&self.actor.user).map_or(0, |last| last + window);
        if self.now < next {
            return Err(Fault::rate_limited("slow mode is on", next - self.now));
        }
        Ok(())
    }

    /// Only people of the room are told; somebody who is not in it must learn nothing of it.
    fn clean_mentions(&self, mentions: &mut Vec<UserId>) {
        let mut seen = std::collections::BTreeSet::new();
        mentions.retain(|user| self.room.members().contains_key(user) && seen.insert(user.clone()));
    }

    fn mentioning(&self, facts: Facts, told: &[UserId], message: Seq) -> Facts {
        told.iter().fold(facts, |facts, user| {
            let room = self.room.id().clone();
            facts.telling(user, self.actor, UserEventBody::Mentioned { room, message })
        })
    }

    fn visible_target(&self, field: &str, seq: Seq) -> Result<&Target, Fault> {
        match self.target {
            Some(target) if seq > self.access.visible_after => Ok(target),
            Some(_) | None => Err(Fault { field: Some(field.into()), ..Fault::not_found("message") }),
        }
    }

    fn living_target(&self, seq: Seq) -> Result<&Target, Fault> {
        let target = self.visible_target("target", seq)?;
        if target.deleted {
            return Err(Fault::conflict("the message is deleted"));
        }
        Ok(target)
    }

    fn is_own(&self, target: &Target) -> bool {
        target.from.as_ref() == Some(&self.actor.user)
    }

    pub(super) fn edit(&self, seq: Seq, text: &str, mentions: &[UserId], data: Option<&Data>) -> Result<Facts, Fault> {
        self.need(Capability::Send)?;
        let target = self.living_target(seq)?;
        if !self.is_own(target) && !self.actor.service {
            return Err(Fault::forbidden("only its author edits a message"));
        }
        let mut mentions = mentions.to_vec();
        self.clean_mentions(&mut mentions);
        let added: Vec<_> = mentions.iter().filter(|user| !target.mentions.contains(user)).cloned().collect();
        let edited = RoomEventBody::ChatEdited { target: seq, text: text.into(), mentions, data: data.cloned() };
        Ok(self.mentioning(Facts::one(edited), &added, seq))
    }

    /// Who is muted may still take back what they said.
    pub(super) fn delete(&self, seq: Seq) -> Result<Facts, Fault> {
        let target = self.visible_target("target", seq)?;
        if !self.is_own(target) {
            self.need(Capability::Moderate)?;
        }
        if target.deleted {
            return Ok(Facts::default());
        }
        Ok(Facts::one(RoomEventBody::ChatDeleted { target: seq, thread: target.thread }))
    }

    pub(super) fn react(&self, seq: Seq, emoji: &str, on: bool) -> Result<Facts, Fault> {
        self.need(Capability::React)?;
        let target = self.living_target(seq)?;
        let has = target.reactions.iter().any(|(e, user)| e == emoji && *user == self.actor.user);
        if has == on {
            return Ok(Facts::default());
        }
        let kinds: std::collections::BTreeSet<_> = target.reactions.iter().map(|(e, _)| e.as_str()).collect();
        if on && !kinds.contains(emoji) && kinds.len() >= limits::REACTIONS {
            return Err(Fault::conflict(format!("the message has {} kinds of reactions", limits::REACTIONS)));
        }
        Ok(Facts::one(RoomEventBody::ChatReacted { target: seq, emoji: emoji.into(), on }))
    }

    pub(super) fn pin(&self, seq: Seq, on: bool) -> Result<Facts, Fault> {
        self.need(Capability::Pin)?;
        self.living_target(seq)?;
        if self.room.pins().contains(&seq) == on {
            return Ok(Facts::default());
        }
        if on && self.room.pins().len() >= limits::PINS {
            return Err(Fault::conflict(format!("the room has {} pins, which is the most", limits::PINS)));
        }
        Ok(Facts::one(RoomEventBody::ChatPinned { target: seq, on }))
    }
}
