//! The CPUs of this machine, and how many of them are in use.

use std::fs;

/// CPUs of this machine. `None`: it isn't known, or only a part of them may be used here, as in a
/// container: how busy that part is the machine's own figures don't tell.
pub(super) fn cpus() -> Option<f64> {
    let usable = std::thread::available_parallelism().ok()?.get();
    let stat = fs::read_to_string("/proc/stat").ok()?;
    (count_cpus(&stat) == usable).then_some(usable as f64)
}

/// A line for each.
fn count_cpus(stat: &str) -> usize {
    let number = |line: &str| {
        line.strip_prefix("cpu").is_some_and(|rest| rest.starts_with(|first: char| first.is_ascii_digit()))
    };
    stat.lines().filter(|line| number(line)).count()
}

/// Whether a process of this number here is of PostgreSQL: its server is on this machine, and not behind
/// a tunnel, or in a container with numbers of its own.
pub(super) fn is_postgres(pid: i32) -> bool {
    name_of(&pid.to_string()).is_some_and(|name| name == "postgres")
}

/// Whether a database server runs here.
pub(super) fn runs_database() -> bool {
    let Ok(processes) = fs::read_dir("/proc") else { return false };
    let mut names = processes.flatten().filter_map(|process| name_of(process.file_name().to_str()?));
    names.any(|name| ["postgres", "mysqld", "mariadbd", "mongod"].contains(&name.as_str()))
}

fn name_of(pid: &str) -> Option<String> {
    let _number: u32 = pid.parse().ok()?;
    fs::read_to_string(format!("/proc/{pid}/comm")).ok().map(|name| name.trim().to_owned())
}

/// Of all CPU time since the machine was started, in the system's own unit.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Ticks {
    busy: f64,
    all: f64,
}

/// As the system counts it. `None`: it doesn't, as it isn't Linux.
pub(super) fn ticks() -> Option<Ticks> {
    Ticks::read(&fs::read_to_string("/proc/stat").ok()?)
}

impl Ticks {
    /// The first line: user, nice, system, idle, iowait, irq, softirq, steal; what guests took is in
    /// the first two (proc_stat(5)).
    fn read(stat: &str) -> Option<Self> {
        let mut fields = stat.lines().next()?.split_ascii_whitespace();
        if fields.next()? != "cpu" {
            return None;
        }
        let fields: Vec<f64> = fields.map_while(|field| field.parse().ok()).collect();
        let idle = fields.get(3)? + fields.get(4)?;
        let all = fields.iter().take(8).sum();
        Some(Self { busy: all - idle, all })
    }

    /// Share of all CPUs that was in use since `earlier`.
    pub(super) fn load_since(self, earlier: Self) -> Option<f64> {
        let all = self.all - earlier.all;
        (all > 0.0).then(|| (self.busy - earlier.busy) / all)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_that_is_not_idle_is_in_use() {
        let before = Ticks::read("cpu  100 0 100 700 100 0 0 0 0 0\ncpu0 1 1 1 1\n").unwrap();
        let after = Ticks::read("cpu  160 0 120 710 110 0 0 0 9 9\n").unwrap();
        assert_eq!(after.load_since(before), Some(0.8));
        assert_eq!(before.load_since(before), None);
        assert_eq!(Ticks::read("intr 5"), None);
        assert_eq!(count_cpus("cpu 1 2\ncpu0 1\ncpu1 1\nintr 5\n"), 2);
    }
}
