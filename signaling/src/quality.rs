//! From what clients measure to a verdict that people understand.

use serde::{Deserialize, Serialize};
use stoa_protocol::{LinkReport, Millis, Quality, Verdict};

/// Reports count at most this often, milliseconds.
pub const REPORT_EVERY_MS: Millis = 5_000;
/// The time that a report covers, milliseconds, by which frozen time is judged: what clients are asked to keep.
const COVERS_MS: f64 = 15_000.0;

/// The verdict of one report: that of its worst link. Thresholds as ITU-T G.114 (one-way delay of 150 ms unnoticed,
/// 400 ms the limit) and common practice for loss of Opus with error correction have them.
pub fn judge(links: &[LinkReport]) -> Verdict {
    links.iter().map(judge_link).max().unwrap_or(Verdict::Good)
}

fn judge_link(link: &LinkReport) -> Verdict {
    let (rtt, loss) = (link.rtt_ms.unwrap_or(0.0), link.loss.unwrap_or(0.0));
    let frozen = link.frozen_ms.unwrap_or(0) as f64 / COVERS_MS;
    match () {
        () if loss > 0.08 || rtt > 600.0 || frozen > 0.1 => Verdict::Poor,
        () if loss > 0.02 || rtt > 300.0 || frozen > 0.0 => Verdict::Fair,
        () => Verdict::Good,
    }
}

/// The reports of one participant, summed up.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Tally {
    reports: u32,
    fair: u32,
    poor: u32,
    rtt_sum: f64,
    rtts: u32,
    loss_sum: f64,
    losses: u32,
    frozen_ms: Millis,
    relayed: bool,
    /// When the newest was taken.
    pub last_at: Millis,
}

impl Tally {
    /// Takes a report; tells its verdict.
    pub fn take(&mut self, links: &[LinkReport], at: Millis) -> Verdict {
        let verdict = judge(links);
        self.last_at = at;
        self.reports = self.reports.saturating_add(1);
        match verdict {
            Verdict::Good => {}
            Verdict::Fair => self.fair += 1,
            Verdict::Poor => self.poor += 1,
        }
        for link in links {
            if let Some(rtt) = link.rtt_ms {
                self.rtt_sum += rtt;
                self.rtts += 1;
            }
            if let Some(loss) = link.loss {
                self.loss_sum += loss;
                self.losses += 1;
            }
            // No report freezes for longer than the time since the one before could be.
            self.frozen_ms = self.frozen_ms.saturating_add(link.frozen_ms.unwrap_or(0).min(60_000));
            self.relayed |= link.relayed;
        }
        verdict
    }

    /// As the history tells it; `None` before the first report.
    pub fn quality(&self) -> Option<Quality> {
        let mean = |sum: f64, count: u32| if count == 0 { 0.0 } else { sum / f64::from(count) };
        (self.reports > 0).then(|| Quality {
            verdict: self.verdict(),
            reports: self.reports,
            fair: self.fair,
            poor: self.poor,
            rtt_ms: mean(self.rtt_sum, self.rtts),
            loss: mean(self.loss_sum, self.losses),
            frozen_ms: self.frozen_ms,
            relayed: self.relayed,
        })
    }

    fn verdict(&self) -> Verdict {
        match () {
            () if self.poor * 5 >= self.reports => Verdict::Poor,
            () if (self.poor + self.fair) * 5 >= self.reports => Verdict::Fair,
            () => Verdict::Good,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use stoa_protocol::CallLinkId;

    fn report(rtt_ms: f64, loss: f64, frozen_ms: Millis) -> Vec<LinkReport> {
        let link = CallLinkId::new("1-2").expect("legal");
        vec![LinkReport {
            link,
            rtt_ms: Some(rtt_ms),
            loss: Some(loss),
            jitter_ms: None,
            in_bps: None,
            out_bps: None,
            frozen_ms: Some(frozen_ms),
            relayed: false,
        }]
    }

    #[test]
    fn a_report_is_as_good_as_its_worst_number() {
        assert_eq!(judge(&report(40.0, 0.0, 0)), Verdict::Good);
        assert_eq!(judge(&report(40.0, 0.03, 0)), Verdict::Fair);
        assert_eq!(judge(&report(310.0, 0.0, 0)), Verdict::Fair);
        assert_eq!(judge(&report(40.0, 0.0, 100)), Verdict::Fair);
        assert_eq!(judge(&report(40.0, 0.0, 2_000)), Verdict::Poor);
        assert_eq!(judge(&report(700.0, 0.0, 0)), Verdict::Poor);
        assert_eq!(judge(&[]), Verdict::Good);
    }

    #[test]
    fn a_fifth_of_bad_reports_makes_a_bad_call() {
        let mut tally = Tally::default();
        assert_eq!(tally.quality(), None);
        for at in 0..10 {
            tally.take(&report(100.0, 0.0, 0), at);
        }
        tally.take(&report(700.0, 0.2, 0), 10);
        assert_eq!(tally.quality().expect("reports").verdict, Verdict::Good);
        tally.take(&report(700.0, 0.2, 0), 11);
        tally.take(&report(700.0, 0.2, 0), 12);
        let quality = tally.quality().expect("reports");
        assert_eq!((quality.verdict, quality.reports, quality.poor), (Verdict::Poor, 13, 3));
    }
}
