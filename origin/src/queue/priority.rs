//! Which of two due jobs goes first.

/// Of jobs that are due the more urgent goes first, and of equally urgent ones that which has
/// been due for longer. So what is low can wait for ever while there is enough of the others.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
#[repr(i16)]
pub enum Priority {
    /// Somebody waits for it.
    Urgent = 0,
    /// Before the usual.
    High = 1,
    /// As most jobs.
    #[default]
    Normal = 2,
    /// When there is nothing else.
    Low = 3,
}

impl Priority {
    /// All there are, the most urgent first.
    pub const ALL: [Self; 4] = [Self::Urgent, Self::High, Self::Normal, Self::Low];

    /// As it is stored: the lower goes first.
    pub fn rank(self) -> i16 {
        self as i16
    }
}
