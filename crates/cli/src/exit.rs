//! Exit codes: one enum, returned from `main`. The table in `docs/exit-codes.md` is checked against it.

/// What the process says to the one that started it. The highest that applies wins; [`Exit::Usage`] is given before any work.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum Exit {
    Done = 0,
    Act = 1,
    Usage = 2,
    Part = 3,
    Broken = 4,
    /// Never returned: the code of a panic.
    #[allow(dead_code)]
    Bug = 101,
}

impl Exit {
    #[cfg(test)]
    pub const ALL: [Exit; 6] = [
        Exit::Done,
        Exit::Act,
        Exit::Usage,
        Exit::Part,
        Exit::Broken,
        Exit::Bug,
    ];

    /// The row of the table.
    #[cfg(test)]
    pub const fn meaning(self) -> &'static str {
        match self {
            Exit::Done => "done, nothing to act on",
            Exit::Act => "done, something to act on: a finding, a touched patient, a difference",
            Exit::Usage => "usage or configuration, nothing was done",
            Exit::Part => {
                "done in part: some input could not be read or decoded; the answer is a lower bound and says by how much"
            }
            Exit::Broken => {
                "evidence does not verify; the failing part is named and nothing is answered from it"
            }
            Exit::Bug => "a bug: panic or violated invariant",
        }
    }

    /// The worse of two.
    pub fn and(self, other: Exit) -> Exit {
        self.max(other)
    }
}

impl From<Exit> for std::process::ExitCode {
    fn from(e: Exit) -> Self {
        std::process::ExitCode::from(e as u8)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    #[test]
    fn the_documented_table_is_this_enum() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/exit-codes.md");
        let page = std::fs::read_to_string(path).expect("docs/exit-codes.md");
        for e in Exit::ALL {
            let row = format!("| {} | {} |", e as u8, e.meaning());
            assert!(page.contains(&row), "missing in docs/exit-codes.md: {row}");
        }
    }
    #[test]
    fn the_worse_wins() {
        assert_eq!(Exit::Act.and(Exit::Part), Exit::Part);
        assert_eq!(Exit::Done.and(Exit::Act), Exit::Act);
    }
}
