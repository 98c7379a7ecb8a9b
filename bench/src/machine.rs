//! What the figures were measured on.

use std::fs;
use std::process::Command;

/// One line: processor, number of CPUs, memory, system.
pub fn describe() -> String {
    let cpus = std::thread::available_parallelism().map_or(1, usize::from);
    let system = format!("{} {}", std::env::consts::OS, std::env::consts::ARCH);
    let (processor, memory_bytes) =
        if cfg!(target_os = "macos") { (sysctl("machdep.cpu.brand_string"), mac_memory()) } else { linux() };
    line(processor, cpus, memory_bytes, &system)
}

fn line(processor: Option<String>, cpus: usize, memory_bytes: Option<u64>, system: &str) -> String {
    let mut parts = Vec::new();
    parts.extend(processor);
    parts.push(if cpus == 1 { "1 CPU".to_owned() } else { format!("{cpus} CPUs") });
    parts.extend(memory_bytes.map(|bytes| format!("{} GiB", bytes >> 30)));
    parts.push(system.to_owned());
    parts.join(", ")
}

fn linux() -> (Option<String>, Option<u64>) {
    let read = |path| fs::read_to_string(path).unwrap_or_default();
    (processor(&read("/proc/cpuinfo")), memory(&read("/proc/meminfo")))
}

/// The name of the first processor in proc(5)'s cpuinfo. Not every architecture tells one.
fn processor(cpuinfo: &str) -> Option<String> {
    let line = cpuinfo.lines().find(|line| line.starts_with("model name"))?;
    let (_, name) = line.split_once(':')?;
    Some(name.split_whitespace().collect::<Vec<_>>().join(" ")).filter(|name| !name.is_empty())
}

/// Bytes of memory in proc(5)'s meminfo.
fn memory(meminfo: &str) -> Option<u64> {
    let rest = meminfo.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
    let kibibytes: u64 = rest.trim().strip_suffix("kB")?.trim().parse().ok()?;
    kibibytes.checked_mul(1024)
}

fn mac_memory() -> Option<u64> {
    sysctl("hw.memsize")?.parse().ok()
}

fn sysctl(name: &str) -> Option<String> {
    let output = Command::new("sysctl").args(["-n", name]).output().ok()?;
    let value = String::from_utf8(output.stdout).ok()?.trim().to_owned();
    (output.status.success() && !value.is_empty()).then_some(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_processor_is_named_where_the_system_does() {
        let cpuinfo = "processor\t: 0\nmodel name\t: Some  Maker(R) CPU @ 2.20GHz\nprocessor\t: 1\n";
        assert_eq!(processor(cpuinfo).as_deref(), Some("Some Maker(R) CPU @ 2.20GHz"));
        assert_eq!(processor("processor\t: 0\nBogoMIPS\t: 50.00\n"), None);
        assert_eq!(processor(""), None);
    }

    #[test]
    fn memory_is_read_in_kibibytes() {
        assert_eq!(memory("MemTotal:       25165824 kB\nMemFree: 1 kB\n"), Some(24 << 30));
        assert_eq!(memory("MemTotal: much\n"), None);
        assert_eq!(memory(""), None);
    }

    #[test]
    fn what_is_not_known_is_left_out() {
        assert_eq!(
            line(Some("A CPU".into()), 2, Some(24 << 30), "linux x86_64"),
            "A CPU, 2 CPUs, 24 GiB, linux x86_64"
        );
        assert_eq!(line(None, 1, None, "linux aarch64"), "1 CPU, linux aarch64");
    }
}
