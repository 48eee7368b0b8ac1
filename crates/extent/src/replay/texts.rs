//! How a server compares texts: case, accents, sound. It decides who was on a list, so what nobody declared stays open.
use super::{Tri, sql};
use crate::{fold, letters};
use ampleur_event::context::{Comparison, Kept, Phonetic};
use unicode_normalization::{UnicodeNormalization, char::is_combining_mark};

/// What a server does with a difference of two texts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rule {
    /// It sets it aside.
    Ignored,
    /// It tells them apart.
    Kept,
    Unknown,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sounds {
    /// Names that only sound alike are not found.
    No,
    /// Names of one American Soundex code may be.
    Soundex,
    /// Any name may be.
    Unknown,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Texts {
    pub case: Rule,
    pub accents: Rule,
    pub sounds: Sounds,
}

impl Texts {
    /// FHIR R4 §3.1.1.4.8: case and accents set aside.
    pub const FHIR: Texts = Texts {
        case: Rule::Ignored,
        accents: Rule::Ignored,
        sounds: Sounds::No,
    };
    /// HL7 v2 and IHE PDQ leave the matching to the supplier (ITI TF-2 §3.21.4.1.3).
    pub const HL7: Texts = Texts {
        case: Rule::Unknown,
        accents: Rule::Unknown,
        sounds: Sounds::Unknown,
    };
    /// RFC 4517 §4.2.11 (caseIgnoreMatch); RFC 4518 keeps accents, Active Directory does not.
    pub const LDAP: Texts = Texts {
        case: Rule::Ignored,
        accents: Rule::Unknown,
        sounds: Sounds::No,
    };

    /// Byte for byte, as PostgreSQL and Oracle compare where nobody chose otherwise.
    pub const BYTES: Texts = Texts {
        case: Rule::Kept,
        accents: Rule::Kept,
        sounds: Sounds::No,
    };
    /// A database whose collation nobody told: MySQL, MariaDB and SQL Server come with ones that set case aside, some accents too.
    pub const SQL: Texts = Texts {
        case: Rule::Unknown,
        accents: Rule::Unknown,
        sounds: Sounds::No,
    };

    /// Two texts are the same to the server: surely, perhaps, not. Blanks at the end count for nothing where the collation is open.
    pub(super) fn same(self, a: &str, b: &str) -> Tri {
        if a == b {
            Tri::Yes
        } else if self == Texts::BYTES || self.open(a) != self.open(b) {
            Tri::No
        } else if self.sure(a) == self.sure(b) {
            Tri::Yes
        } else {
            Tri::Maybe
        }
    }
    /// `LIKE`, in the same way.
    pub(super) fn like(self, pattern: &str, text: &str) -> Tri {
        if self == Texts::BYTES {
            return sql::like(pattern, text).into();
        }
        let sure = sql::like(&self.sure(pattern), &self.sure(text));
        if sure == sql::like(&self.open(pattern), &self.open(text)) {
            sure.into()
        } else {
            Tri::Maybe
        }
    }
    /// Without every difference the server may set aside.
    fn open(self, text: &str) -> String {
        let t = by_letter(text, self.case != Rule::Kept, self.accents != Rule::Kept);
        t.trim_end_matches(' ').to_string()
    }
    /// Without the differences it surely sets aside.
    fn sure(self, text: &str) -> String {
        by_letter(
            text,
            self.case == Rule::Ignored,
            self.accents == Rule::Ignored,
        )
    }

    /// With what the operator declared for a server. Single keys are stronger than the name of a collation.
    pub fn declared(mut self, c: Option<&Comparison>) -> Texts {
        let Some(c) = c else { return self };
        let rule = |k: Kept| match k {
            Kept::Kept => Rule::Kept,
            Kept::Ignored => Rule::Ignored,
        };
        let (case, accents) = c.collation.as_deref().map_or((None, None), collation);
        if let Some(k) = c.case.or(case) {
            self.case = rule(k);
        }
        if let Some(k) = c.accents.or(accents) {
            self.accents = rule(k);
        }
        if let Some(p) = c.phonetic {
            self.sounds = match p {
                Phonetic::None => Sounds::No,
                Phonetic::Soundex => Sounds::Soundex,
                Phonetic::Other => Sounds::Unknown,
            };
        }
        self
    }
    /// Folded so that texts which differ here are told apart by the server.
    fn loose(self, text: &str) -> String {
        let (case, accents) = (self.case == Rule::Kept, self.accents == Rule::Kept);
        let mut out = String::with_capacity(text.len());
        for c in text.nfd() {
            if is_combining_mark(c) {
                if accents {
                    out.push(c);
                }
                continue;
            }
            if c.is_whitespace() {
                if !out.is_empty() && !out.ends_with(' ') {
                    out.push(' ');
                }
                continue;
            }
            let folded = letters::name(c.encode_utf8(&mut [0; 4]));
            if case && c.is_uppercase() {
                out.extend(folded.chars().flat_map(char::to_uppercase));
            } else {
                out.push_str(&folded);
            }
        }
        out.nfc().collect::<String>().trim_end().to_string()
    }
    /// Folded so that texts which agree here are the same to the server.
    fn strict(self, text: &str) -> String {
        let (case, accents) = (self.case != Rule::Ignored, self.accents != Rule::Ignored);
        if !case && !accents {
            return letters::plain(text);
        }
        let kept: String = text
            .nfd()
            .filter(|c| accents || !is_combining_mark(*c))
            .nfc()
            .collect();
        if case {
            kept
        } else {
            kept.chars().flat_map(char::to_lowercase).collect()
        }
    }
}

/// Letter for letter, signs kept: without case, without accents.
fn by_letter(text: &str, no_case: bool, no_accents: bool) -> String {
    let bare: String = if no_accents {
        sql::unaccent(text)
    } else {
        text.to_string()
    };
    if no_case { bare.to_lowercase() } else { bare }
}

/// Case and accents of a collation's name: `French_CI_AI`, `utf8mb4_0900_as_cs`, `C`. Names that do not say it tell nothing.
fn collation(name: &str) -> (Option<Kept>, Option<Kept>) {
    let low = name.to_ascii_lowercase();
    let base = low.split('.').next().unwrap_or("");
    if matches!(base, "c" | "posix" | "ucs_basic" | "binary") {
        return (Some(Kept::Kept), Some(Kept::Kept));
    }
    let has = |w: &str| base.split(['_', '-']).any(|p| p == w);
    let pick =
        |kept: &str, ignored: &str| match (has(kept) || has("bin") || has("bin2"), has(ignored)) {
            (true, false) => Some(Kept::Kept),
            (false, true) => Some(Kept::Ignored),
            _ => None,
        };
    (pick("cs", "ci"), pick("as", "ai"))
}

/// American Soundex of each word. Letters of other scripts count as vowels.
pub fn soundex(text: &str) -> Vec<String> {
    let digit = |c: u8| match c {
        b'b' | b'f' | b'p' | b'v' => b'1',
        b'c' | b'g' | b'j' | b'k' | b'q' | b's' | b'x' | b'z' => b'2',
        b'd' | b't' => b'3',
        b'l' => b'4',
        b'm' | b'n' => b'5',
        b'r' => b'6',
        // H and W do not part equal digits, vowels do.
        b'h' | b'w' => b'-',
        _ => b'0',
    };
    fold::name(text)
        .split(|c: char| !c.is_ascii_alphabetic())
        .filter(|w| !w.is_empty())
        .map(|w| {
            let b = w.as_bytes();
            let mut out = vec![b[0].to_ascii_uppercase()];
            let mut last = digit(b[0]);
            for d in b[1..].iter().map(|c| digit(*c)) {
                if d == b'-' {
                    continue;
                }
                if d != b'0' && d != last {
                    out.push(d);
                }
                last = d;
            }
            out.resize(4, b'0');
            out.iter().map(|c| char::from(*c)).collect()
        })
        .collect()
}

/// A text of a question, folded as widely and as little as the server asked may.
#[derive(Debug, Clone, PartialEq)]
pub struct Asked {
    wide: String,
    loose: Option<String>,
    strict: String,
    codes: Option<Vec<String>>,
    texts: Texts,
}

/// How a text of a question lies in a stored one.
pub type Lies = fn(&str, &str) -> bool;

impl Asked {
    /// As FHIR compares.
    pub fn new(text: &str) -> Asked {
        Asked::of(text, Texts::FHIR)
    }
    pub fn of(text: &str, texts: Texts) -> Asked {
        let apart = texts.case == Rule::Kept || texts.accents == Rule::Kept;
        Asked {
            wide: letters::name(text),
            loose: apart.then(|| texts.loose(text)),
            strict: texts.strict(text),
            codes: (texts.sounds == Sounds::Soundex).then(|| soundex(text)),
            texts,
        }
    }
    pub fn is_empty(&self) -> bool {
        self.wide.is_empty()
    }
    /// The widest folded form: what the index is searched with.
    pub fn wide(&self) -> &str {
        &self.wide
    }
    /// True when texts of which the wide form and the plain form are one answer alike.
    pub fn simple(&self) -> bool {
        self.texts == Texts::FHIR && self.wide == self.strict
    }
    /// True when only the wide form decides who may be found.
    pub fn by_wide(&self) -> bool {
        self.loose.is_none() && self.codes.is_none()
    }
    pub fn may(&self, text: &str, lies: Lies) -> bool {
        let written = lies(&letters::name(text), &self.wide)
            && self
                .loose
                .as_ref()
                .is_none_or(|l| lies(&self.texts.loose(text), l));
        written
            || self.codes.as_ref().is_some_and(|asked| {
                let held = soundex(text);
                !asked.is_empty() && asked.iter().all(|c| held.contains(c))
            })
    }
    /// Whether a text must be found.
    pub fn sure(&self, text: &str, lies: Lies) -> bool {
        lies(&self.texts.strict(text), &self.strict)
    }
}

/// A text with gaps of any length: `mar*n`. One piece is the whole text.
#[derive(Debug, Clone, PartialEq)]
pub struct Pieces(Vec<Asked>);

impl Pieces {
    pub fn of(pieces: &[String], texts: Texts) -> Pieces {
        // A sound belongs to a whole text.
        let one = pieces.len() == 1;
        let texts = Texts {
            sounds: if one { texts.sounds } else { Sounds::No },
            ..texts
        };
        Pieces(pieces.iter().map(|p| Asked::of(p, texts)).collect())
    }
    pub fn first(&self) -> Option<&Asked> {
        self.0.first()
    }
    pub fn by_wide(&self) -> bool {
        self.0.iter().all(Asked::by_wide)
    }
    fn fits(&self, text: &str, form: &dyn Fn(&Asked) -> String) -> bool {
        let pieces: Vec<String> = self.0.iter().map(form).collect();
        fits(text, &pieces)
    }
    pub fn may(&self, text: &str) -> bool {
        let [one] = &self.0[..] else {
            let Some(texts) = self.first().map(|a| a.texts) else {
                return false;
            };
            return self.fits(&letters::name(text), &|a| a.wide.clone())
                && (self.0.iter().all(|a| a.loose.is_none())
                    || self.fits(&texts.loose(text), &|a| a.loose.clone().unwrap_or_default()));
        };
        one.may(text, |t, a| t == a)
    }
    pub fn sure(&self, text: &str) -> bool {
        self.first()
            .is_some_and(|a| self.fits(&a.texts.strict(text), &|a| a.strict.clone()))
    }
}

/// Whether `text` is the pieces in order with anything between them.
fn fits(text: &str, pieces: &[String]) -> bool {
    match pieces {
        [] => false,
        [one] => text == one,
        [first, middle @ .., last] => {
            let Some(mut rest) = text.strip_prefix(first.as_str()) else {
                return false;
            };
            for m in middle {
                let Some(at) = rest.find(m.as_str()) else {
                    return false;
                };
                rest = &rest[at + m.len()..];
            }
            rest.ends_with(last.as_str())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn soundex_is_the_census_one() {
        for (name, code) in [
            ("Robert", "R163"),
            ("Rupert", "R163"),
            ("Ashcraft", "A261"),
            ("Tymczak", "T522"),
            ("Pfister", "P236"),
            ("Honeyman", "H555"),
        ] {
            assert_eq!(soundex(name), [code]);
        }
        assert_eq!(soundex("Le Goff"), soundex("LE-GOF"));
    }
    #[test]
    fn collations_say_case_and_accents() {
        use Kept::{Ignored as I, Kept as K};
        assert_eq!(collation("French_CI_AI"), (Some(I), Some(I)));
        assert_eq!(collation("French_CS_AS_KS"), (Some(K), Some(K)));
        assert_eq!(collation("utf8mb4_0900_ai_ci"), (Some(I), Some(I)));
        assert_eq!(collation("utf8mb4_bin"), (Some(K), Some(K)));
        assert_eq!(collation("C.UTF-8"), (Some(K), Some(K)));
        assert_eq!(collation("fr_FR.utf8"), (None, None));
    }
    #[test]
    fn declared_differences_decide() {
        let of = |case, accents| Texts {
            case,
            accents,
            sounds: Sounds::No,
        };
        let starts: Lies = |t, a| t.starts_with(a);
        let holds = |texts, asked: &str, stored: &str| {
            let a = Asked::of(asked, texts);
            (a.may(stored, starts), a.sure(stored, starts))
        };
        use Rule::{Ignored, Kept, Unknown};
        let kept = of(Ignored, Kept);
        assert_eq!(holds(kept, "evr", "ÉVRARD"), (false, false));
        assert_eq!(holds(kept, "évr", "ÉVRARD"), (true, true));
        assert_eq!(holds(kept, "évr", "E\u{301}VRARD"), (true, true));
        assert_eq!(holds(kept, "d'ar", "D’ARTOIS"), (true, false));
        assert_eq!(holds(of(Kept, Ignored), "mar", "MARTIN"), (false, false));
        assert_eq!(holds(of(Kept, Ignored), "ÉV", "EVRARD"), (true, true));
        let open = of(Unknown, Unknown);
        assert_eq!(holds(open, "mar", "MARTIN"), (true, false));
        assert_eq!(holds(open, "MAR", "MARTIN"), (true, true));
        let sound = Texts {
            sounds: Sounds::Soundex,
            ..Texts::FHIR
        };
        assert_eq!(holds(sound, "Meyer", "MAIER"), (true, false));
        assert_eq!(holds(sound, "Meyer", "DURAND"), (false, false));
    }

    /// The server's own comparison, done the long way: every place of every piece is tried.
    fn slowly(text: &[char], pieces: &[Vec<char>]) -> bool {
        match pieces {
            [] => false,
            [one] => text == &one[..],
            [first, rest @ ..] => {
                text.starts_with(first)
                    && (first.len()..=text.len()).any(|i| {
                        let tail = &text[i..];
                        slowly(tail, rest)
                    })
            }
        }
    }
    fn word() -> impl Strategy<Value = String> {
        "[aAbéÉ ’'œ]{0,6}"
    }
    proptest! {
        #[test]
        fn pieces_fit_as_the_slow_way_says(text in "[ab]{0,8}", pieces in prop::collection::vec("[ab]{0,3}", 1..4)) {
            let chars: Vec<char> = text.chars().collect();
            let slow: Vec<Vec<char>> = pieces.iter().map(|p| p.chars().collect()).collect();
            prop_assert_eq!(fits(&text, &pieces), slowly(&chars, &slow));
        }
        /// Whatever a server of this kind compares, its answer lies between what must and what may be found.
        #[test]
        fn a_server_lies_between_sure_and_may(asked in word(), stored in word(), case in 0..3, accents in 0..3) {
            let rule = |n| [Rule::Ignored, Rule::Kept, Rule::Unknown][n as usize];
            let texts = Texts { case: rule(case), accents: rule(accents), sounds: Sounds::No };
            let lies: Lies = |t, a| t.starts_with(a);
            let a = Asked::of(&asked, texts);
            for keeps_case in [true, false] {
                for keeps_accents in [true, false] {
                    if texts.case == (if keeps_case { Rule::Ignored } else { Rule::Kept })
                        || texts.accents == (if keeps_accents { Rule::Ignored } else { Rule::Kept }) {
                        continue;
                    }
                    let server = |t: &str| -> String {
                        let t: String = if keeps_accents { t.nfc().collect() } else { t.nfd().filter(|c| !is_combining_mark(*c)).collect() };
                        if keeps_case { t } else { t.to_lowercase() }
                    };
                    let found = server(&stored).starts_with(&server(&asked));
                    prop_assert!(!found || a.may(&stored, lies), "{asked} {stored} {texts:?}");
                    prop_assert!(found || !a.sure(&stored, lies), "{asked} {stored} {texts:?}");
                }
            }
        }
    }
}
