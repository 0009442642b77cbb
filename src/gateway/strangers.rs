//! How many connections of one address have not said who they are: the only thing that is bounded by address, for a
//! whole class sits behind one.

use parking_lot::Mutex;
use std::{collections::HashMap, net::IpAddr, sync::Arc};

/// Counts them. Its size is bounded by the number of open connections.
#[derive(Debug)]
pub(super) struct Strangers {
    counts: Mutex<HashMap<IpAddr, u32>>,
    most_per_address: u32,
}

/// One of them, until it is dropped.
#[derive(Debug)]
pub(super) struct Stranger {
    all: Arc<Strangers>,
    address: IpAddr,
}

impl Strangers {
    pub(super) fn new(most_per_address: u32) -> Arc<Self> {
        Arc::new(Self { counts: Mutex::default(), most_per_address })
    }

    /// Counts one more of `address`; `None` when there are as many as there may be.
    pub(super) fn admit(self: &Arc<Self>, address: IpAddr) -> Option<Stranger> {
        let address = site(address);
        let mut counts = self.counts.lock();
        let count = counts.entry(address).or_default();
        if *count >= self.most_per_address {
            return None;
        }
        *count += 1;
        Some(Stranger { all: self.clone(), address })
    }
}

impl Drop for Stranger {
    fn drop(&mut self) {
        let mut counts = self.all.counts.lock();
        if let Some(count) = counts.get_mut(&self.address) {
            *count -= 1;
            if *count == 0 {
                counts.remove(&self.address);
            }
        }
    }
}

/// What one customer of a network gets: an IPv4 address, or 64 bits of IPv6 (RFC 6177), whose other half it may
/// choose at will.
fn site(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(address) => IpAddr::V4(address),
        IpAddr::V6(address) => IpAddr::V6((address.to_bits() & !u128::from(u64::MAX)).into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_full_until_one_of_its_strangers_goes() {
        let strangers = Strangers::new(2);
        let address: IpAddr = "1.2.3.4".parse().expect("an address");
        let first = strangers.admit(address).expect("room");
        let _second = strangers.admit("::ffff:1.2.3.4".parse().expect("the same")).expect("room");
        assert!(strangers.admit(address).is_none());
        assert!(strangers.admit("1.2.3.5".parse().expect("another")).is_some());
        drop(first);
        assert!(strangers.admit(address).is_some());
    }

    #[test]
    fn addresses_of_one_ipv6_network_count_together_and_nothing_stays_behind() {
        let strangers = Strangers::new(1);
        let one = strangers.admit("2001:db8::1".parse().expect("an address"));
        assert!(one.is_some());
        assert!(strangers.admit("2001:db8::2".parse().expect("a neighbour")).is_none());
        assert!(strangers.admit("2001:db8:0:1::1".parse().expect("the next network")).is_some());
        drop(one);
        assert!(strangers.counts.lock().is_empty());
    }
}
