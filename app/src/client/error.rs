//! Why there is no answer.

use tidewall_api::problem::Problem;

/// Why there is no answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ClientError {
    /// The API says why.
    #[error("{}", .0.detail)]
    Problem(Box<Problem>),
    /// Something between here and the API answered in its place.
    #[error("The shop is having trouble (status {0}). Wait a moment, then try again.")]
    Status(u16),
    /// Nothing answered.
    #[error("The shop could not be reached. Check your connection, then try again.")]
    Network,
    /// Its answers are in another form than this page reads: a newer one, most likely.
    #[error(
        "The shop sent something this page does not understand. Reload the page to get its newest version."
    )]
    Outdated,
    /// This page is newer than what answers it.
    #[error("This page is newer than the rest of the shop. Wait a moment, then try again.")]
    Updating,
}

impl ClientError {
    /// In a few words; the message has the rest.
    pub fn title(&self) -> &str {
        match self {
            Self::Problem(problem) => &problem.title,
            Self::Status(_) => "Something went wrong",
            Self::Network => "No connection",
            Self::Outdated => "This page is out of date",
            Self::Updating => "The shop is being updated",
        }
    }

    /// A reload may help, and asking again would not.
    pub fn wants_reload(&self) -> bool {
        *self == Self::Outdated
    }

    /// Nobody is logged in, or no more.
    pub fn is_logged_out(&self) -> bool {
        matches!(self, Self::Problem(problem) if problem.status == 401)
    }

    /// It was not done, and would not be the next time either.
    pub fn is_final(&self) -> bool {
        let status = match self {
            Self::Problem(problem) => problem.status,
            _ => return false,
        };
        (400..500).contains(&status) && !matches!(status, 401 | 408 | 429)
    }

    /// What was asked for does not exist; asking again would not help.
    pub fn is_not_found(&self) -> bool {
        matches!(self, Self::Problem(problem) if problem.status == 404)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_may_have_been_done_is_not_final() {
        let problem = |status| ClientError::Problem(Box::new(Problem::new(status, "x", "x", "x")));
        for (status, is_final) in [(409, true), (422, true), (429, false), (401, false), (503, false)] {
            assert_eq!(problem(status).is_final(), is_final, "{status}");
        }
        assert!(!ClientError::Network.is_final());
    }

    #[test]
    fn only_a_missing_thing_is_not_found() {
        let problem = |status| ClientError::Problem(Box::new(Problem::new(status, "x", "x", "x")));
        assert!(problem(404).is_not_found());
        assert!(!problem(503).is_not_found());
        assert!(!ClientError::Status(404).is_not_found());
    }
}
