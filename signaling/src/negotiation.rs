//! One end of a link, as a client keeps it: numbers, confirmations, sending again, and perfect negotiation
//! (W3C WebRTC, section 10.3.6) without a browser. The reference for clients in other languages, and what the random
//! tests drive. Descriptions are opaque here: an offer is its number, an answer names it.

use stoa_protocol::Millis;

/// What is unconfirmed is sent again after this long, milliseconds.
pub const AGAIN_MS: Millis = 2_000;

/// What is said over a link.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Said {
    /// An offer, named by its own number.
    Offer,
    /// The answer to the offer of this number.
    Answer(u32),
    /// A candidate of the description of this number.
    Candidate(u32),
}

/// Something with its number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Numbered {
    /// The epoch of the link.
    pub epoch: u32,
    /// The number.
    pub n: u32,
    /// What is said.
    pub said: Said,
}

/// One end of a link.
#[derive(Debug, Clone)]
pub struct End {
    polite: bool,
    epoch: u32,
    /// The last number that was given.
    last: u32,
    outbox: Vec<Numbered>,
    sent_at: Millis,
    /// The last number of the other end that was handled.
    handled: u32,
    /// The offer that is out.
    offered: Option<u32>,
    /// The need to negotiate that no finished exchange has met.
    needs: bool,
    /// Exchanges that were finished: offers of one's own that were answered, and of the other that one answered.
    pub finished: u32,
    /// Signals that were handled, for the tests: each once.
    pub heard: Vec<u32>,
}

impl End {
    /// An end of a link's epoch. The polite end offers at once.
    pub fn new(polite: bool, epoch: u32) -> Self {
        let mut end = Self {
            polite,
            epoch,
            last: 0,
            outbox: Vec::new(),
            sent_at: 0,
            handled: 0,
            offered: None,
            needs: polite,
            finished: 0,
            heard: Vec::new(),
        };
        end.offer_when_stable();
        end
    }

    /// The epoch that it is in.
    pub fn epoch(&self) -> u32 {
        self.epoch
    }

    /// Something has to be negotiated.
    pub fn need(&mut self) {
        self.needs = true;
        self.offer_when_stable();
    }

    /// A candidate of the description that is out, or of the last one.
    pub fn candidate(&mut self) {
        let of = self.offered.unwrap_or(self.last);
        self.say(Said::Candidate(of));
    }

    fn say(&mut self, said: Said) -> u32 {
        self.last += 1;
        self.outbox.push(Numbered { epoch: self.epoch, n: self.last, said });
        self.sent_at = 0;
        self.last
    }

    fn offer_when_stable(&mut self) {
        if self.needs && self.offered.is_none() {
            self.needs = false;
            self.offered = Some(self.say(Said::Offer));
        }
    }

    /// What is to be sent now: everything unconfirmed, oldest first, when it is new or the last time is long ago.
    pub fn send(&mut self, now: Millis) -> Vec<Numbered> {
        if self.outbox.is_empty() || (self.sent_at > 0 && now < self.sent_at + AGAIN_MS) {
            return vec![];
        }
        self.sent_at = now.max(1);
        self.outbox.clone()
    }

    /// A new connection: everything is sent again.
    pub fn reconnected(&mut self) {
        self.sent_at = 0;
    }

    /// The other end has handled everything up to `n`.
    pub fn confirmed(&mut self, epoch: u32, n: u32) {
        if epoch == self.epoch {
            self.outbox.retain(|kept| kept.n > n);
        }
    }

    /// The other end said something; tells what to confirm, nothing for another epoch.
    pub fn hear(&mut self, signal: Numbered) -> Option<u32> {
        if signal.epoch != self.epoch {
            return None;
        }
        if signal.n == self.handled + 1 {
            self.handled = signal.n;
            self.heard.push(signal.n);
            self.handle(signal);
        }
        Some(self.handled)
    }

    fn handle(&mut self, signal: Numbered) {
        match signal.said {
            Said::Offer => {
                if self.offered.is_some() {
                    if !self.polite {
                        return;
                    }
                    // Rolled back: what it was for is still needed.
                    self.offered = None;
                    self.needs = true;
                }
                self.say(Said::Answer(signal.n));
                self.finished += 1;
                self.offer_when_stable();
            }
            Said::Answer(offer) if self.offered == Some(offer) => {
                self.offered = None;
                self.finished += 1;
                self.offer_when_stable();
            }
            Said::Answer(_) | Said::Candidate(_) => {}
        }
    }

    /// Whether nothing is open: no offer out, nothing unconfirmed, nothing needed.
    pub fn is_settled(&self) -> bool {
        self.offered.is_none() && self.outbox.is_empty() && !self.needs && self.finished > 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Passes everything between two ends until nothing is said any more.
    fn settle(a: &mut End, b: &mut End) {
        for now in 1..1_000u64 {
            let (from_a, from_b) = (a.send(now * AGAIN_MS), b.send(now * AGAIN_MS));
            if from_a.is_empty() && from_b.is_empty() {
                break;
            }
            for signal in from_a {
                if let Some(n) = b.hear(signal) {
                    a.confirmed(signal.epoch, n);
                }
            }
            for signal in from_b {
                if let Some(n) = a.hear(signal) {
                    b.confirmed(signal.epoch, n);
                }
            }
        }
        assert!(a.is_settled() && b.is_settled(), "{a:?}\n{b:?}");
    }

    #[test]
    fn glare_from_both_sides_settles_a_hundred_times() {
        let (mut polite, mut impolite) = (End::new(true, 1), End::new(false, 1));
        settle(&mut polite, &mut impolite);
        for _ in 0..100 {
            polite.need();
            impolite.need();
            settle(&mut polite, &mut impolite);
        }
        assert!(polite.finished >= 201 && impolite.finished >= 201, "each need was met");
    }
}
