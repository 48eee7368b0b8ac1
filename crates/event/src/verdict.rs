//! Verdicts on data ([`Verdict`]) and on sessions ([`SessionVerdict`]).
use crate::words::closed;

closed! {
    /// What happened to one category of one person's data, weakest first, so that `max` is the strongest.
    Verdict {
        /// Coverage is complete and there was no access (laws L2, L11).
        RuledOut = 0 => "ruled_out",
        /// The session could reach it and no evidence says either way; also everybody under a blind interval.
        Exposed = 1 => "exposed",
        /// Served or shown to the session.
        Consulted = 2 => "consulted",
        /// A copy left the network, or was exported or downloaded by the session.
        Exfiltrated = 3 => "exfiltrated",
        /// Seen published.
        Leaked = 4 => "leaked",
    }
}

impl Verdict {
    /// True for `consulted` and stronger: the person counts in `extent.subjects`.
    pub const fn touched(self) -> bool {
        matches!(
            self,
            Verdict::Consulted | Verdict::Exfiltrated | Verdict::Leaked
        )
    }
}

closed! {
    /// Who a session is judged to belong to.
    SessionVerdict {
        Legitimate = 0 => "legitimate",
        /// Widens `at_most`, never `at_least` (law L6).
        Doubtful = 1 => "doubtful",
        Intruder = 2 => "intruder",
    }
}
