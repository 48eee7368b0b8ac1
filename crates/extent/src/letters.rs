//! Names as servers compare them: the most a server takes for the same, and the least.
//!
//! FHIR R4 §3.1.1.4.8 sets case and accents aside and leaves the rest to the server. A name found under [`name`] alone may be
//! on the list; one found under [`plain`] too must be.
use crate::fold;
use unicode_normalization::{UnicodeNormalization, char::is_combining_mark};

/// [`fold::name`], and without the marks of every other script (Vietnamese, Greek, …).
pub fn name(text: &str) -> String {
    let folded = fold::name(text);
    if folded.is_ascii() {
        return folded;
    }
    let mut out = String::with_capacity(folded.len());
    for c in folded.nfd().filter(|c| !is_combining_mark(*c)) {
        match fold::base(c) {
            Some(b) => out.push_str(b),
            None => out.push(c),
        }
    }
    out
}

/// Lower case without combining marks and nothing else. Texts that agree here agree under [`name`] too; the reverse does not
/// hold (`œ` is not `oe`, two blanks are not one).
pub fn plain(text: &str) -> String {
    if text.is_ascii() {
        return text.to_ascii_lowercase();
    }
    text.nfd()
        .filter(|c| !is_combining_mark(*c))
        .flat_map(char::to_lowercase)
        .collect()
}

/// Whether `text` is `pattern` with `%` for any run and `_` for any character: what a server does that hands a search on to
/// `LIKE` as it is.
pub fn like(text: &str, pattern: &str) -> bool {
    let (t, p): (Vec<char>, Vec<char>) = (text.chars().collect(), pattern.chars().collect());
    let (mut i, mut j) = (0, 0);
    // Where the last `%` stood, and what it has taken so far.
    let mut back: Option<(usize, usize)> = None;
    while i < t.len() {
        match p.get(j) {
            Some('%') => {
                back = Some((j, i));
                j += 1;
            }
            Some(c) if *c == '_' || *c == t[i] => {
                i += 1;
                j += 1;
            }
            _ => match back {
                Some((star, taken)) => {
                    back = Some((star, taken + 1));
                    i = taken + 1;
                    j = star + 1;
                }
                None => return false,
            },
        }
    }
    p[j..].iter().all(|c| *c == '%')
}

#[cfg(test)]
mod tests {
    use super::*;
    #[test]
    fn the_wide_fold_holds_what_the_plain_one_holds() {
        assert_eq!(name("D’Œuvre  Nguyễn Ǿ"), "d'oeuvre nguyen o");
        assert_eq!(plain("ÉLODIE Nguyễn"), "elodie nguyen");
        assert_eq!(plain("D’Œuvre  SAINT "), "d’œuvre  saint ");
        for t in ["D’Œuvre  SAINT ", "Nguyễn", "Łódź", "İstanbul", "Άννα"] {
            assert_eq!(name(&plain(t)), name(t), "{t}");
        }
    }
    #[test]
    fn patterns() {
        assert!(like("martin", "m%t_n"));
        assert!(like("100% sure", "100%%"));
        assert!(like("", "%"));
        assert!(!like("martin", "m_t%"));
        assert!(!like("martin", "mart"));
    }
}
