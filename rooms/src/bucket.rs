//! A token bucket on time that is handed in.

use stoa_protocol::Millis;

/// Allows a rate with a burst. Sixteen bytes, so that every connection can own some.
#[derive(Debug, Clone, Copy)]
pub struct Bucket {
    /// When the bucket was, or will be, empty of debt, in milliseconds: the generic cell rate algorithm (ITU-T I.371,
    /// annex A) keeps one number in place of tokens and a time.
    theoretical: Millis,
}

impl Bucket {
    /// A full bucket.
    pub const fn new() -> Self {
        Self { theoretical: 0 }
    }

    /// Takes one at `now` when `per_second` with a burst of `burst` allow it.
    ///
    /// # Errors
    /// Milliseconds until the next one is allowed.
    pub fn take(&mut self, now: Millis, per_second: u32, burst: u32) -> Result<(), Millis> {
        self.take_many(now, 1, per_second, burst)
    }

    /// Takes `count` at once.
    ///
    /// # Errors
    /// Milliseconds until that many are allowed.
    pub fn take_many(&mut self, now: Millis, count: u32, per_second: u32, burst: u32) -> Result<(), Millis> {
        let rate = Millis::from(per_second.max(1));
        // In thousandths of a millisecond: above 1,000 per second an interval is a fraction of a millisecond.
        let interval = 1_000_000 / rate;
        let now_fine = now * 1_000;
        let start = self.theoretical.max(now_fine);
        let next = start + interval * Millis::from(count);
        let allowed = now_fine + interval * Millis::from(burst.max(1));
        if next > allowed {
            return Err((next - allowed).div_ceil(1_000));
        }
        self.theoretical = next;
        Ok(())
    }
}

impl Default for Bucket {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bucket_gives_its_burst_then_its_rate_and_tells_when_again() {
        let mut bucket = Bucket::new();
        assert_eq!((0..5).filter(|_| bucket.take(1_000, 10, 3).is_ok()).count(), 3);
        assert_eq!(bucket.take(1_000, 10, 3), Err(100));
        assert_eq!(bucket.take(1_099, 10, 3), Err(1));
        assert_eq!(bucket.take(1_100, 10, 3), Ok(()));
        let taken = (2_000..12_000).filter(|now| bucket.take(*now, 2_000, 1).is_ok()).count();
        assert_eq!(taken, 10_000, "one per call, as two per millisecond are allowed");
    }
}
