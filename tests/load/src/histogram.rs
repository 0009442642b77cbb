//! A histogram of logarithmic buckets, in the manner of HdrHistogram: constant relative error, constant memory.

/// 2^7 buckets per power of two: a value is told to within 0.8 %.
const SUB_BITS: u32 = 7;
const SUB: u64 = 1 << SUB_BITS;
/// Values above 2^40 us (12 days) are counted as that.
const TOP: u64 = 1 << 40;

/// Counts of values, in microseconds by convention.
#[derive(Debug, Clone)]
pub struct Histogram {
    counts: Vec<u64>,
    count: u64,
    sum: u128,
    min: u64,
    max: u64,
}

impl Default for Histogram {
    fn default() -> Self {
        Self { counts: vec![0; bucket(TOP) + 1], count: 0, sum: 0, min: u64::MAX, max: 0 }
    }
}

fn bucket(value: u64) -> usize {
    if value < SUB {
        return value as usize;
    }
    let shift = 63 - value.leading_zeros() - SUB_BITS;
    ((u64::from(shift + 1) << SUB_BITS) + ((value >> shift) & (SUB - 1))) as usize
}

/// The largest value of a bucket.
fn upper(bucket: usize) -> u64 {
    let bucket = bucket as u64;
    if bucket < SUB {
        return bucket;
    }
    let shift = (bucket >> SUB_BITS) - 1;
    (((bucket & (SUB - 1)) + SUB + 1) << shift) - 1
}

impl Histogram {
    /// Counts one value.
    pub fn record(&mut self, value: u64) {
        let value = value.min(TOP);
        self.counts[bucket(value)] += 1;
        self.count += 1;
        self.sum += u128::from(value);
        self.min = self.min.min(value);
        self.max = self.max.max(value);
    }

    /// Adds the counts of another.
    pub fn merge(&mut self, other: &Self) {
        for (mine, theirs) in self.counts.iter_mut().zip(&other.counts) {
            *mine += theirs;
        }
        self.count += other.count;
        self.sum += other.sum;
        self.min = self.min.min(other.min);
        self.max = self.max.max(other.max);
    }

    /// How many values there are.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// The largest value, exactly.
    pub fn max(&self) -> u64 {
        self.max
    }

    /// The mean; 0 without values.
    pub fn mean(&self) -> f64 {
        if self.count == 0 { 0.0 } else { self.sum as f64 / self.count as f64 }
    }

    /// The smallest value that at least the share `q` (0 to 1) of all values does not exceed, to within 0.8 %
    /// upwards; 0 without values.
    pub fn quantile(&self, q: f64) -> u64 {
        let rank = ((q.clamp(0.0, 1.0) * self.count as f64).ceil() as u64).max(1);
        let mut seen = 0;
        for (index, count) in self.counts.iter().enumerate() {
            seen += count;
            if seen >= rank {
                return upper(index).clamp(self.min, self.max);
            }
        }
        self.max
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buckets_cover_every_value_once_and_in_order() {
        let mut values: Vec<u64> = (0..5_000).collect();
        values.extend((12..40).flat_map(|e| [(1u64 << e) - 1, 1 << e, (1 << e) + 1, (1 << e) + (1 << (e - 1))]));
        values.sort_unstable();
        values.dedup();
        for pair in values.windows(2) {
            assert!(bucket(pair[0]) <= bucket(pair[1]), "{pair:?}");
        }
        for value in values {
            let top = upper(bucket(value));
            assert!(top >= value && (top - value) as f64 <= value as f64 / SUB as f64, "{value} in a bucket to {top}");
            assert_eq!(bucket(top), bucket(value));
            assert_eq!(bucket(top + 1), bucket(value) + 1);
        }
    }

    #[test]
    fn quantiles_are_those_of_the_sorted_values_within_the_promised_error() {
        let mut state = 0x9e37_79b9_7f4a_7c15u64;
        let mut values: Vec<u64> = (0..20_000)
            .map(|_| {
                state ^= state << 13;
                state ^= state >> 7;
                state ^= state << 17;
                state % 3_000_000
            })
            .collect();
        let mut histogram = Histogram::default();
        values.iter().for_each(|v| histogram.record(*v));
        values.sort_unstable();
        for q in [0.0, 0.5, 0.9, 0.99, 0.999, 1.0] {
            let rank = ((q * values.len() as f64).ceil() as usize).max(1) - 1;
            let (exact, told) = (values[rank] as f64, histogram.quantile(q) as f64);
            assert!(told >= exact && told <= exact * 1.008 + 1.0, "q {q}: {exact} told as {told}");
        }
        assert_eq!(histogram.max(), *values.last().expect("values"));
        assert_eq!(histogram.quantile(1.0), histogram.max());
    }

    #[test]
    fn merging_is_the_same_as_recording_everything_in_one() {
        let (mut one, mut two, mut both) = (Histogram::default(), Histogram::default(), Histogram::default());
        for value in 0..1_000u64 {
            if value % 3 == 0 {
                one.record(value * value)
            } else {
                two.record(value * value)
            }
            both.record(value * value);
        }
        one.merge(&two);
        assert_eq!((one.counts, one.count, one.sum, one.max), (both.counts, both.count, both.sum, both.max));
    }

    #[test]
    fn an_empty_histogram_tells_zeros() {
        let empty = Histogram::default();
        assert_eq!((empty.quantile(0.5), empty.max(), empty.count()), (0, 0, 0));
        assert!(empty.mean().abs() < f64::EPSILON);
    }
}
