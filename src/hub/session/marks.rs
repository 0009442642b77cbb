//! Read markers.

use super::*;

impl HubSession {
    pub(super) async fn read(&mut self, id: u64, read: ChatRead) -> Result<(), CloseCode> {
        let State::Known(known) = &mut self.state else { return Ok(()) };
        let (now, rate) = (self.hub.clock.now(), self.hub.limits.frames_per_s);
        if let Err(wait) = known.passing.take(now, rate, rate) {
            return self.refuse(Some(id), Fault::rate_limited("too many read markers", wait));
        }
        let conn = known.conn.clone();
        let cell = match self.hub.room(&read.room).await {
            Ok(cell) => cell,
            Err(fault) => return self.refuse(Some(id), fault),
        };
        let place = {
            let live = cell.lock();
            let access = live.room.access(&conn.actor(&read.room), now);
            access.map(|_| read.seq.min(live.room.head())).map_err(|_| Fault::not_found("room"))
        };
        let seq = match place {
            Ok(seq) => seq,
            Err(fault) => return self.refuse(Some(id), fault),
        };
        if !conn.begin(IN_FLIGHT) {
            return self.refuse(Some(id), Fault::rate_limited("too many commands are unanswered", 100));
        }
        let reply = ReplyTo::Conn { conn: conn.clone(), id, answer: Answer::Nothing };
        let job = Job::Mark { room: read.room, user: conn.user.clone(), seq, reply };
        if let Err(fault) = self.hub.writer.submit(job) {
            conn.end();
            return self.refuse(Some(id), fault);
        }
        Ok(())
    }
}
