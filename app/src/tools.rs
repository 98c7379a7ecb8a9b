//! What is said of each tool by hand; thresholds and commands are the advisor's own.

use tidewall_api::advice::Tool;

/// What is said of a tool.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Said {
    /// Which.
    pub tool: Tool,
    /// What it is there for.
    pub bottleneck: &'static str,
    /// When it isn't.
    pub not_yet: &'static str,
    /// What it costs, without figures.
    pub cost: &'static str,
}

/// All, in the article's order.
pub const SAID: [Said; 7] = [
    Said {
        tool: Tool::Cdn,
        bottleneck: "Readers are far away, or files are most of what the server sends",
        not_yet: "Readers are near, and files are few: a far cache is one more place to look for a mistake",
        cost: "The edge, less the traffic that it saves",
    },
    Said {
        tool: Tool::Cache,
        bottleneck: "The same question is worked out again and again",
        not_yet: "Each answer differs, or an index makes it fast: what is kept can be old",
        cost: "Requests to the edge, reads and writes of its store",
    },
    Said {
        tool: Tool::LoadBalancer,
        bottleneck: "One server's CPUs are full",
        not_yet: "It is the database that is full, or a cache would take the work off",
        cost: "A second server",
    },
    Said {
        tool: Tool::Index,
        bottleneck: "A statement reads rows that it throws away",
        not_yet: "The table is small, or most rows are wanted: each index makes writes slower",
        cost: "Storage, and a little of each write",
    },
    Said {
        tool: Tool::ReadReplica,
        bottleneck: "The primary is full of reading, and no index or cache takes it off",
        not_yet: "It is full of writing, or sessions wait for each other: replicas do the same work",
        cost: "A second database server",
    },
    Said {
        tool: Tool::Pool,
        bottleneck: "Each request brings a connection of its own",
        not_yet: "Connections are kept already, and there is room for more",
        cost: "Nothing, or a small server for a pooler",
    },
    Said {
        tool: Tool::Queue,
        bottleneck: "Somebody waits for work that could be done after the answer",
        not_yet: "What takes long is a slow statement, or a full server: jobs would wait as well",
        cost: "Nothing, or a server for workers",
    },
];

/// What is said of one.
pub fn said(tool: Tool) -> Said {
    // Each is there; a test says so.
    SAID.into_iter().find(|said| said.tool == tool).unwrap_or(SAID[0])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_tool_is_said_once_in_the_articles_order() {
        assert_eq!(SAID.map(|said| said.tool), Tool::ALL);
    }
}
