//! What a client has of a room and of its user's own stream, folded from frames as the true client does, with every
//! frame checked against what is committed.

use super::{database::Database, trace::Trace};
use serde_json::Value;
use std::{collections::BTreeMap, sync::Arc};
use stoa_protocol::{Epoch, RoomId, Seq, UserId};

/// Whether a room is open on the connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Open {
    /// It is not.
    No,
    /// It was asked for.
    Asked,
    /// It is.
    Yes,
    /// It was given up; what was on its way is still told.
    Closing,
}

/// A room.
pub struct RoomView {
    /// Which.
    pub room: RoomId,
    /// On this connection.
    pub open: Open,
    /// The life of the log, and the last event that is there; `None` before the first opening.
    pub cursor: Option<(Epoch, u64)>,
    /// The cursor that the last snapshot began at.
    pub base: u64,
    /// The events since, without their words where they were erased.
    pub log: BTreeMap<u64, Option<Value>>,
    /// Who is there, as told.
    pub presence: BTreeMap<String, String>,
    /// Where others have read.
    pub markers: BTreeMap<String, u64>,
    /// Who types.
    pub typing: Vec<String>,
}

/// Who looks.
pub struct Eyes {
    /// What a wrong is told under.
    pub name: String,
    /// What is committed.
    pub database: Arc<Database>,
    /// Where wrongs are told.
    pub trace: Arc<Trace>,
}

impl Eyes {
    fn wrong(&self, kind: &'static str, seen: impl AsRef<str>) {
        self.trace.wrong(kind, format!("{}: {}", self.name, seen.as_ref()));
    }
}

impl RoomView {
    /// Nothing is known.
    pub fn new(room: RoomId) -> Self {
        Self {
            room,
            open: Open::No,
            cursor: None,
            base: 0,
            log: BTreeMap::new(),
            presence: BTreeMap::new(),
            markers: BTreeMap::new(),
            typing: vec![],
        }
    }

    /// The client forgets what it has.
    pub fn forget(&mut self) {
        *self = Self::new(self.room.clone());
    }

    /// The reply to `room.open`.
    pub fn opened(&mut self, eyes: &Eyes, reply: &Value) {
        if self.open != Open::Asked {
            return eyes.wrong("open", format!("{} was opened unasked", self.room));
        }
        self.open = Open::Yes;
        self.typing.clear();
        let place = number(&reply["seq"]);
        match (&self.cursor, reply["reset"] == true) {
            (Some((epoch, cursor)), false) => {
                if epoch.as_str() != reply["epoch"] || *cursor != place {
                    eyes.wrong("resume", format!("{} resumes at {place}, and not at {cursor}", self.room));
                }
                self.told(&reply["presence"], &reply["read"], true);
            }
            (Some(_), true) => eyes.wrong("reset", format!("{} was reset, and nothing was lost", self.room)),
            (None, _) => self.take_snapshot(eyes, reply),
        }
    }

    fn take_snapshot(&mut self, eyes: &Eyes, reply: &Value) {
        let place = number(&reply["seq"]);
        let epoch = reply["epoch"].as_str().and_then(|epoch| Epoch::new(epoch).ok()).expect("an epoch");
        (self.cursor, self.base) = (Some((epoch, place)), place);
        let snapshot = &reply["snapshot"];
        self.told(&snapshot["presence"], &snapshot["read"], true);
        let shown: Vec<u64> = list(&snapshot["messages"]).map(|message| number(&message["seq"])).collect();
        let tables = eyes.database.tables.lock();
        let sent = |seq: &u64| {
            let event = tables.event(&self.room, *seq).map(|(event, _)| event);
            // A message whose words are gone has an event without a body, as some others have.
            event.is_some_and(|event| event.body.as_ref().is_some_and(|body| body.kind() == "chat.sent"))
        };
        let first = shown.first().copied().filter(|_| snapshot["more"] == true).unwrap_or(0);
        let missing = (first..=place).find(|seq| sent(seq) && !shown.contains(seq));
        drop(tables);
        if let Some(missing) = missing {
            eyes.wrong("snapshot", format!("{} at {place} lacks {missing}: {shown:?}", self.room));
        }
    }

    /// Presence and markers as a snapshot or a resumed room has them: all of them.
    fn told(&mut self, presence: &Value, read: &Value, whole: bool) {
        if whole {
            self.presence.clear();
        }
        for p in list(presence) {
            self.presence.insert(text(&p["user"]), text(&p["state"]));
        }
        for marker in list(read) {
            let known = self.markers.entry(text(&marker["user"])).or_default();
            *known = number(&marker["seq"]).max(*known);
        }
    }

    /// A durable event, or the number of one that is not told.
    pub fn event(&mut self, eyes: &Eyes, frame: &Value) {
        let seq = number(&frame["seq"]);
        if !matches!(self.open, Open::Yes | Open::Closing) {
            return eyes.wrong("unopened", format!("{}#{seq} came before the room was open", self.room));
        }
        let Some((_, cursor)) = &mut self.cursor else { return };
        match seq {
            _ if seq == *cursor + 1 => *cursor = seq,
            _ if seq <= *cursor => {
                return eyes.wrong("again", format!("{}#{seq} came behind {cursor}", self.room));
            }
            _ => return eyes.wrong("gap", format!("{}#{seq} came right behind {cursor}", self.room)),
        }
        let told = (frame["type"] != "skip").then(|| frame.clone());
        {
            let tables = eyes.database.tables.lock();
            match (tables.event(&self.room, seq), &told) {
                (None, _) => eyes.wrong("uncommitted", format!("{}#{seq} is not committed", self.room)),
                (Some((event, _)), Some(told)) => {
                    let body = event.body.as_ref().map(|body| serde_json::to_value(body).expect("JSON"));
                    if body.is_some_and(|body| !is_part(&body, told)) {
                        eyes.wrong("altered", format!("{}#{seq} is not what was committed: {told}", self.room));
                    }
                }
                (Some((event, _)), None) if event.body.is_some() => {
                    eyes.wrong("hidden", format!("{}#{seq} was not told", self.room));
                }
                (Some(_), None) => {}
            }
        }
        self.log.insert(seq, told);
    }

    /// Something passing.
    pub fn passing(&mut self, frame: &Value) {
        match frame["type"].as_str() {
            Some("presence") => self.told(&frame["changed"], &Value::Null, false),
            Some("read") => self.told(&Value::Null, &frame["markers"], false),
            Some("typing") => self.typing = list(&frame["users"]).map(text).collect(),
            _ => {}
        }
    }
}

/// The user's own stream.
#[derive(Default)]
pub struct StreamView {
    /// The life of the log, and the last event that is there.
    pub cursor: Option<(Epoch, u64)>,
}

impl StreamView {
    /// The reply to `hello`.
    pub fn welcome(&mut self, eyes: &Eyes, cursor: &Value) {
        let (epoch, place) = (text(&cursor["epoch"]), number(&cursor["seq"]));
        if let Some((_, known)) = &self.cursor
            && *known != place
        {
            eyes.wrong("stream", format!("the stream goes on at {place}, and not at {known}"));
        }
        self.cursor = Some((Epoch::new(epoch).expect("an epoch"), place));
    }

    /// A durable event.
    pub fn event(&mut self, eyes: &Eyes, user: &UserId, frame: &Value) {
        let seq = number(&frame["user_seq"]);
        let Some((_, cursor)) = &mut self.cursor else {
            return eyes.wrong("stream", "an event came before the welcome");
        };
        if seq != *cursor + 1 {
            return eyes.wrong("stream", format!("event {seq} of the stream came behind {cursor}"));
        }
        let before = Seq::new(*cursor).expect("a sequence");
        *cursor = seq;
        let stored = eyes.database.tables.lock().user_events(user, before, 1);
        match stored.first() {
            Some(event) if is_part(&serde_json::to_value(&event.body).expect("JSON"), frame) => {}
            found => eyes.wrong("stream", format!("event {seq} of the stream is not committed so: {found:?}")),
        }
    }
}

/// Whether everything in one object is in another.
fn is_part(one: &Value, other: &Value) -> bool {
    one.as_object().is_some_and(|fields| fields.iter().all(|(name, value)| other[name] == *value))
}

/// A number of a frame.
pub fn number(value: &Value) -> u64 {
    value.as_u64().unwrap_or_default()
}

/// A text of a frame.
pub fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

/// A list of a frame.
pub fn list(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}
