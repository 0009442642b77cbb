//! Counters of a server's Prometheus endpoint, before and after.

use crate::target::{Node, PATH, Target};
use std::{
    collections::BTreeMap,
    io::{Read as _, Write as _},
    net::TcpStream,
    time::Duration,
};

/// Largest answer that is read, bytes.
const MOST: u64 = 4 * 1024 * 1024;

/// All samples by name and labels, of all nodes together; none when the server tells none.
pub fn read(target: &Target) -> BTreeMap<String, f64> {
    let mut all = BTreeMap::new();
    for text in target.nodes().filter_map(|node| fetch(target, node).ok()) {
        for (name, value) in parse(&text) {
            *all.entry(name).or_default() += value;
        }
    }
    all
}

fn fetch(target: &Target, node: &Node) -> std::io::Result<String> {
    let mut stream = TcpStream::connect_timeout(&node.addr, Duration::from_secs(5))?;
    stream.set_read_timeout(Some(Duration::from_secs(5)))?;
    let prefix = target.path.strip_suffix(PATH).unwrap_or_default();
    write!(stream, "GET {prefix}/metrics HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\r\n", node.addr)?;
    let mut answer = String::new();
    stream.take(MOST).read_to_string(&mut answer)?;
    Ok(answer)
}

/// Lines of the text format: `name{labels} value`.
fn parse(text: &str) -> BTreeMap<String, f64> {
    let lines = text.lines().filter(|line| line.starts_with(|c: char| c.is_ascii_alphabetic()));
    let samples = lines.filter_map(|line| line.rsplit_once(' ').map(|(name, value)| (name.to_owned(), value)));
    samples.filter_map(|(name, value)| value.parse().ok().map(|value| (name, value))).collect()
}

/// Counters that grew, without the buckets of histograms.
pub fn moved(before: &BTreeMap<String, f64>, after: &BTreeMap<String, f64>) -> BTreeMap<String, f64> {
    let counters = after.iter().filter(|(name, _)| {
        let name = name.split('{').next().unwrap_or_default();
        ["_total", "_count", "_sum"].iter().any(|end| name.ends_with(end))
    });
    let grown = counters.map(|(name, value)| (name.clone(), value - before.get(name).copied().unwrap_or(0.0)));
    grown.filter(|(_, by)| *by > 0.0).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_counters_that_grew_are_told() {
        let before = parse("# HELP x\nx_total{a=\"b c\"} 3\ny_total 1\nz 5\n");
        let after = parse("HTTP/1.1 200 OK\r\n\r\nx_total{a=\"b c\"} 5\ny_total 1\nz 9\nw_total 2\nh_bucket 7\n");
        let moved = moved(&before, &after);
        let told: Vec<(&str, f64)> = moved.iter().map(|(name, by)| (name.as_str(), *by)).collect();
        assert_eq!(told, [("w_total", 2.0), ("x_total{a=\"b c\"}", 2.0)]);
    }
}
