//! Where copies of a response are kept, from the nearest and smallest to the
//! farthest and largest.

/// A place for copies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Level {
    /// The memory of this isolate.
    Memory,
    /// The Cache API: this data centre's.
    CacheApi,
    /// Workers KV: everyone's.
    Kv,
}

impl Level {
    /// In the order in which they are asked.
    pub const ALL: [Self; 3] = [Self::Memory, Self::CacheApi, Self::Kv];

    /// The same, once the Cache API was asked in vain.
    pub const BUT_CACHE_API: [Self; 2] = [Self::Memory, Self::Kv];

    /// Those that are as near as the others who ask here.
    pub const NEAR: [Self; 2] = [Self::Memory, Self::CacheApi];

    /// Its name, a token.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Memory => "memory",
            Self::CacheApi => "cache_api",
            Self::Kv => "kv",
        }
    }
}
