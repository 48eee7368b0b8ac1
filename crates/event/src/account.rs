//! Accounts (`system:name`) and data subjects (`authority|id`). Fine print: contract §C.
use crate::words::closed;

closed! {
    /// The system a login belongs to; the word before the colon of an account.
    System {
        Unknown = 0 => "",
        /// Windows domain account, `ad:DOMAIN\name`.
        Ad = 1 => "ad",
        Vpn = 2 => "vpn",
        /// National professional number, 11 digits (a leading 8 of the 12-digit form is removed).
        Rpps = 3 => "rpps",
        Oidc = 4 => "oidc",
        Web = 5 => "web",
        Db = 6 => "db",
        Smb = 7 => "smb",
        Citrix = 8 => "citrix",
        Host = 9 => "host",
        Bastion = 10 => "bastion",
        Mail = 11 => "mail",
        Cloud = 12 => "cloud",
    }
}

impl System {
    pub fn from_word(word: &str) -> Option<System> {
        System::ALL.iter().copied().find(|s| s.word() == word)
    }
}

/// A login in one system. Names keep the case the source gave; comparison folds it ([`Account::key`]).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Account {
    pub system: System,
    pub name: String,
}

impl Account {
    /// Builds an account the way contract §C names it: `domain` is put in front for `ad`; a 12-digit number starting
    /// with 8 under `rpps` loses the 8; `smb` with a domain becomes `ad`; `user@REALM` under `ad` becomes `REALM\user`
    /// only when no domain was given. Placeholders (`-`, `N/A`, empty) give `None`.
    pub fn new(system: System, domain: &str, name: &str) -> Option<Account> {
        let name = name.trim();
        if is_placeholder(name) {
            return None;
        }
        let domain = if is_placeholder(domain.trim()) {
            ""
        } else {
            domain.trim()
        };
        let mut system = system;
        if system == System::Smb && !domain.is_empty() {
            system = System::Ad;
        }
        let name = match system {
            System::Ad => match name.split_once('\\') {
                Some(_) => name.to_string(),
                None => {
                    let (bare, realm) = name.split_once('@').map_or((name, ""), |(n, r)| (n, r));
                    let domain = if domain.is_empty() { realm } else { domain };
                    if domain.is_empty() {
                        bare.to_string()
                    } else {
                        format!("{domain}\\{bare}")
                    }
                }
            },
            System::Rpps => strip_rpps(name).to_string(),
            _ => name.to_string(),
        };
        Some(Account { system, name })
    }
    /// Reads `system:name`; a text without a known system keeps the whole text as the name of [`System::Unknown`].
    pub fn parse(text: &str) -> Account {
        match text.split_once(':').and_then(|(s, n)| {
            System::from_word(s)
                .filter(|s| *s != System::Unknown)
                .map(|s| (s, n))
        }) {
            Some((system, name)) => Account {
                system,
                name: if system == System::Rpps {
                    strip_rpps(name).to_string()
                } else {
                    name.to_string()
                },
            },
            None => Account {
                system: System::Unknown,
                name: text.to_string(),
            },
        }
    }
    /// The name without its domain or realm, lower case: `ad:CHU\MDupont` and `ad:mdupont@chu.local` both give `mdupont`.
    pub fn bare(&self) -> String {
        let n = self.name.rsplit('\\').next().unwrap_or(&self.name);
        n.split('@').next().unwrap_or(n).to_lowercase()
    }
    /// The text two spellings of one account share: system, then name in lower case.
    pub fn key(&self) -> String {
        format!("{}:{}", self.system.word(), self.name.to_lowercase())
    }
    /// A Windows machine account (`NAME$`): a computer, never a person.
    pub fn is_machine(&self) -> bool {
        self.name.ends_with('$')
    }
}

impl std::fmt::Display for Account {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.system == System::Unknown {
            f.write_str(&self.name)
        } else {
            write!(f, "{}:{}", self.system.word(), self.name)
        }
    }
}

fn strip_rpps(name: &str) -> &str {
    if name.len() == 12 && name.starts_with('8') && name.bytes().all(|b| b.is_ascii_digit()) {
        &name[1..]
    } else {
        name
    }
}

/// True for texts that stand for "nobody": empty, `-`, `N/A`, `(null)`, `unknown`, only asterisks.
#[inline]
pub fn is_placeholder(name: &str) -> bool {
    // How each of them begins: nearly every name is told by its first letter.
    match name.as_bytes().first() {
        None => true,
        Some(b'-' | b'N' | b'n' | b'(' | b'u' | b'U' | b'[' | b'a' | b'*') => is_one(name),
        Some(_) => false,
    }
}

fn is_one(name: &str) -> bool {
    // Those that begin as most names do have few lengths.
    match name.as_bytes()[0] {
        b'*' => name.bytes().all(|b| b == b'*'),
        b'a' | b'u' | b'U' | b'N' | b'n' if !matches!(name.len(), 3 | 4 | 7 | 14) => false,
        _ => PLACEHOLDERS.contains(&name),
    }
}

const PLACEHOLDERS: [&str; 15] = [
    "-",
    "--",
    "N/A",
    "n/a",
    "NULL",
    "null",
    "(null)",
    "None",
    "none",
    "unknown",
    "Unknown",
    "(unknown)",
    "[unknown]",
    "anonymous_user",
    "[local]",
];

/// Whose data it is: `authority|id`. The authority is a URI (`urn:oid:…`); a bare OID gets its prefix.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Subject {
    pub authority: String,
    pub id: String,
}

impl Subject {
    pub fn new(authority: &str, id: &str) -> Subject {
        let authority = if authority.starts_with(|c: char| c.is_ascii_digit()) {
            format!("urn:oid:{authority}")
        } else {
            authority.to_string()
        };
        Subject {
            authority,
            id: id.to_string(),
        }
    }
    /// Reads `authority|id`; `None` without a bar.
    pub fn parse(text: &str) -> Option<Subject> {
        text.split_once('|').map(|(a, i)| Subject::new(a, i))
    }
}

impl std::fmt::Display for Subject {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}|{}", self.authority, self.id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    #[test]
    fn accounts_are_named_as_the_contract_says() {
        let a = |s, d, n| Account::new(s, d, n).map(|a| a.to_string());
        assert_eq!(
            a(System::Ad, "CHU", "mdupont").as_deref(),
            Some("ad:CHU\\mdupont")
        );
        assert_eq!(
            a(System::Smb, "CHU", "mdupont").as_deref(),
            Some("ad:CHU\\mdupont")
        );
        assert_eq!(
            a(System::Rpps, "", "810101234567").as_deref(),
            Some("rpps:10101234567")
        );
        assert_eq!(a(System::Vpn, "", "N/A"), None);
        assert_eq!(Account::parse("ad:CHU\\MDupont").bare(), "mdupont");
        assert_eq!(Account::parse("rpps:810101234567").name, "10101234567");
    }
    #[test]
    fn every_placeholder_is_told_by_how_it_begins() {
        for name in PLACEHOLDERS.into_iter().chain(["", "*", "***"]) {
            assert!(is_placeholder(name), "{name}");
        }
        for name in ["*a", "u2507", "Nadia", "none ", "a", "é"] {
            assert!(!is_placeholder(name), "{name}");
        }
    }
    #[test]
    fn a_bare_oid_gets_its_prefix() {
        assert_eq!(
            Subject::parse("1.2.250.1.71|7")
                .map(|s| s.to_string())
                .as_deref(),
            Some("urn:oid:1.2.250.1.71|7")
        );
    }
}
