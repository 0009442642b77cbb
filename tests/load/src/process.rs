//! What the system says about processes: CPU, memory, who listens, how many files may be open. Linux only (proc(5)).

use anyhow::{Context as _, bail};
use rustix::process::{Resource, getrlimit, setrlimit};
use serde::Serialize;
use std::{fs, iter::Sum, net::SocketAddr, path::Path};

/// Files that a process needs beside its connections.
const SPARE_FILES: u64 = 64;

/// CPU time that somebody used.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Cpu {
    /// In user mode, microseconds.
    pub user_us: u64,
    /// In the kernel, microseconds.
    pub system_us: u64,
}

impl Cpu {
    /// Both together.
    pub fn total_us(self) -> u64 {
        self.user_us + self.system_us
    }

    /// What was used since an earlier reading.
    #[must_use]
    pub fn since(self, earlier: Self) -> Self {
        Self {
            user_us: self.user_us.saturating_sub(earlier.user_us),
            system_us: self.system_us.saturating_sub(earlier.system_us),
        }
    }
}

impl Sum for Cpu {
    fn sum<I: Iterator<Item = Self>>(all: I) -> Self {
        all.fold(Self::default(), |sum, cpu| Self {
            user_us: sum.user_us + cpu.user_us,
            system_us: sum.system_us + cpu.system_us,
        })
    }
}

/// CPU time of a process and of those that it started and that still run.
///
/// # Errors
/// There is no such process.
pub fn cpu_with_children(pid: u32) -> anyhow::Result<Cpu> {
    let processes = fs::read_dir("/proc").context("cannot read /proc")?.flatten();
    let pids = processes.filter_map(|entry| entry.file_name().to_str().and_then(|name| name.parse::<u32>().ok()));
    let children = pids.filter(|child| parent(*child) == Some(pid));
    // One that ends meanwhile is left out.
    Ok([cpu(pid)?].into_iter().chain(children.filter_map(|child| cpu(child).ok())).sum())
}

fn parent(pid: u32) -> Option<u32> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // Behind the name the state comes, and then the parent.
    stat.rsplit_once(')')?.1.split_whitespace().nth(1)?.parse().ok()
}

/// CPU time of a process, all its threads.
///
/// # Errors
/// There is no such process.
pub fn cpu(pid: u32) -> anyhow::Result<Cpu> {
    cpu_of(&format!("/proc/{pid}/stat"))
}

/// CPU time of the calling thread.
///
/// # Errors
/// `/proc` cannot be read.
pub fn thread_cpu() -> anyhow::Result<Cpu> {
    cpu_of("/proc/thread-self/stat")
}

fn cpu_of(path: &str) -> anyhow::Result<Cpu> {
    let stat = fs::read_to_string(path).with_context(|| format!("cannot read {path}"))?;
    // The name, in brackets, may hold anything; what follows is numbers: utime and stime are fields 14 and 15.
    let rest = stat.rsplit_once(')').map(|(_, rest)| rest).context("a stat line without a name")?;
    let ticks: Vec<u64> = rest.split_whitespace().skip(11).take(2).filter_map(|field| field.parse().ok()).collect();
    let tick_us = 1_000_000 / rustix::param::clock_ticks_per_second().max(1);
    match ticks[..] {
        [user, system] => Ok(Cpu { user_us: user * tick_us, system_us: system * tick_us }),
        [] | [_] | [_, _, ..] => bail!("a stat line without times"),
    }
}

/// CPU time of a process, all threads that it has now, nanoseconds: finer than [`cpu`], for what takes milliseconds.
///
/// # Errors
/// There is no such process.
pub fn run_ns(pid: u32) -> anyhow::Result<u64> {
    let tasks = format!("/proc/{pid}/task");
    let tasks = fs::read_dir(&tasks).with_context(|| format!("cannot read {tasks}"))?;
    // A thread may end meanwhile.
    let stats = tasks.flatten().filter_map(|task| fs::read_to_string(task.path().join("schedstat")).ok());
    Ok(stats.filter_map(|stat| stat.split_whitespace().next()?.parse::<u64>().ok()).sum())
}

/// CPU time that all processors together were busy, microseconds.
///
/// # Errors
/// `/proc` cannot be read.
pub fn machine_busy_us() -> anyhow::Result<u64> {
    let stat = fs::read_to_string("/proc/stat").context("cannot read /proc/stat")?;
    let line = stat.lines().next().unwrap_or_default();
    let fields: Vec<u64> = line.split_whitespace().skip(1).filter_map(|field| field.parse().ok()).collect();
    // user, nice, system, idle, iowait, irq, softirq, steal
    let busy: u64 = [0, 1, 2, 5, 6].iter().filter_map(|at| fields.get(*at)).sum();
    Ok(busy * (1_000_000 / rustix::param::clock_ticks_per_second().max(1)))
}

/// How many processors the machine has.
pub fn processors() -> usize {
    std::thread::available_parallelism().map_or(1, std::num::NonZero::get)
}

/// Resident memory of a process, bytes.
///
/// # Errors
/// There is no such process.
pub fn rss_bytes(pid: u32) -> anyhow::Result<u64> {
    let path = format!("/proc/{pid}/status");
    let status = fs::read_to_string(&path).with_context(|| format!("cannot read {path}"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).context("a process without memory")?;
    let kib: u64 = line.split_whitespace().next().and_then(|n| n.parse().ok()).context("a VmRSS without a number")?;
    Ok(kib * 1024)
}

/// The process that listens on a port of this machine; `None` when it cannot be seen.
pub fn listener(addr: SocketAddr) -> Option<u32> {
    let inodes: Vec<String> = ["/proc/net/tcp", "/proc/net/tcp6"]
        .iter()
        .filter_map(|path| fs::read_to_string(path).ok())
        .flat_map(|table| table.lines().filter_map(|line| listening_inode(line, addr.port())).collect::<Vec<_>>())
        .map(|inode| format!("socket:[{inode}]"))
        .collect();
    let processes = fs::read_dir("/proc").ok()?.flatten();
    let pids = processes.filter_map(|entry| entry.file_name().to_str().and_then(|name| name.parse::<u32>().ok()));
    pids.filter(|pid| *pid != std::process::id()).find(|pid| {
        let files = fs::read_dir(format!("/proc/{pid}/fd")).into_iter().flatten().flatten();
        let mut links = files.filter_map(|file| fs::read_link(file.path()).ok());
        links.any(|link| inodes.iter().any(|inode| link == Path::new(inode)))
    })
}

/// The inode of a line of `/proc/net/tcp` that says LISTEN (0A) on the port.
fn listening_inode(line: &str, port: u16) -> Option<String> {
    let fields: Vec<&str> = line.split_whitespace().collect();
    let at_port = fields.get(1)?.rsplit_once(':')?.1 == format!("{port:04X}");
    (at_port && *fields.get(3)? == "0A").then(|| fields.get(9).map(ToString::to_string))?
}

/// Raises the soft limit of open files to the hard one and checks that it suffices for so many connections.
///
/// # Errors
/// It does not; the sentence says what is lacking.
pub fn allow_connections(connections: usize) -> anyhow::Result<()> {
    let mut limit = getrlimit(Resource::Nofile);
    if limit.current != limit.maximum {
        limit.current = limit.maximum;
        setrlimit(Resource::Nofile, limit).context("cannot raise the limit of open files")?;
    }
    let need = connections as u64 + SPARE_FILES;
    match limit.current {
        Some(most) if most < need => bail!(
            "{connections} connections need {need} open files and the hard limit is {most}; raise it \
             (`ulimit -Hn {need}` as root, LimitNOFILE= in a systemd unit, or nofile in limits.conf)"
        ),
        Some(_) | None => Ok(()),
    }
}

/// The soft limit of open files of another process, for saying what a server lacks.
pub fn open_files_of(pid: u32) -> Option<u64> {
    let limits = fs::read_to_string(format!("/proc/{pid}/limits")).ok()?;
    let line = limits.lines().find_map(|line| line.strip_prefix("Max open files"))?;
    line.split_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_has_memory_and_its_work_shows_as_cpu_time() {
        let pid = std::process::id();
        assert!(rss_bytes(pid).expect("own status") > 500_000);
        let before = (cpu(pid).expect("own stat"), thread_cpu().expect("own stat"));
        let mut sum = 0u64;
        // Ends when the system has counted the work, or never: a wrong reading hangs instead of passing.
        while thread_cpu().expect("own stat").since(before.1).total_us() < 30_000 {
            sum = (0..100_000u64).fold(sum, |sum, i| std::hint::black_box(sum.wrapping_mul(31) ^ i));
        }
        assert!(cpu(pid).expect("own stat").since(before.0).total_us() >= 30_000, "{sum}");
        assert!(run_ns(pid).expect("own threads") >= 30_000_000);
        assert!(machine_busy_us().expect("stat") > 0);
    }

    #[test]
    fn a_child_counts_with_its_parent() {
        let own = std::process::id();
        let mut child = std::process::Command::new("sleep").arg("60").spawn().expect("it runs");
        assert_eq!(parent(child.id()), Some(own));
        child.kill().expect("it runs");
        child.wait().expect("it ended");
        assert!(cpu_with_children(own).expect("own stat").total_us() >= cpu(own).expect("own stat").total_us() / 2);
    }

    #[test]
    fn a_line_of_the_socket_table_tells_who_listens() {
        let line = "   0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 4242 1";
        assert_eq!(listening_inode(line, 8080), Some("4242".into()));
        assert_eq!(listening_inode(line, 8081), None);
        assert_eq!(listening_inode(&line.replace(" 0A ", " 01 "), 8080), None);
    }

    #[test]
    fn what_the_limit_of_open_files_lacks_is_said() {
        allow_connections(1).expect("one more file");
        let Some(most) = getrlimit(Resource::Nofile).maximum else { return };
        let error = allow_connections(most as usize).expect_err("beyond the limit").to_string();
        assert!(error.contains(&most.to_string()) && error.contains("ulimit"), "{error}");
    }
}
