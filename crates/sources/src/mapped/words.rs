//! Words of which every match of an expression has one, read from how the expression is written. They are looked for first: an
//! expression takes long to compile, and of those of all mappings few can be in a file.
use std::{iter::Peekable, str::Chars};

/// So many words at most; with more of them, the expression is asked.
const MOST: usize = 64;

/// Every match of `pattern` has one of these in it, as they are written; empty where none are plain to see.
pub(super) fn words(pattern: &str) -> Vec<String> {
    let mut reader = Reader {
        rest: pattern.chars().peekable(),
    };
    match reader.alternatives() {
        Ok(words) if reader.rest.peek().is_none() => words,
        _ => vec![],
    }
}

/// What is beyond this reader: flags, which may fold case, and what is no expression.
struct Unclear;

/// How often a part of an expression is there.
#[derive(PartialEq)]
enum Times {
    Once,
    /// Once or more often.
    Some,
    Perhaps,
}

struct Reader<'p> {
    rest: Peekable<Chars<'p>>,
}

impl Reader<'_> {
    /// To the end or the closing parenthesis.
    fn alternatives(&mut self) -> Result<Vec<String>, Unclear> {
        let mut all = self.sequence()?;
        let mut known = !all.is_empty();
        while self.rest.next_if_eq(&'|').is_some() {
            let words = self.sequence()?;
            known &= !words.is_empty();
            all.extend(words);
        }
        all.sort_unstable();
        all.dedup();
        Ok(if known && all.len() <= MOST {
            all
        } else {
            vec![]
        })
    }

    /// One of the alternatives: the best of its parts.
    fn sequence(&mut self) -> Result<Vec<String>, Unclear> {
        let (mut best, mut run) = (vec![], String::new());
        let least = |words: &[String]| words.iter().map(|w| w.trim().len()).min().unwrap_or(0);
        let keep = |best: &mut Vec<String>, words: Vec<String>| {
            let plain = words.iter().all(|w| w.is_ascii());
            let worth = |w: &[String]| (least(w), std::cmp::Reverse(w.len()));
            if plain && least(&words) > 0 && worth(&words) > worth(best) {
                *best = words;
            }
        };
        while let Some(c) = self.rest.next_if(|c| !matches!(c, '|' | ')')) {
            let sign = match c {
                '(' => {
                    let words = self.group()?;
                    if self.times()? != Times::Perhaps {
                        keep(&mut best, words);
                    }
                    None
                }
                '[' => {
                    self.class()?;
                    self.times()?;
                    None
                }
                '\\' => self.escaped()?,
                '.' => {
                    self.times()?;
                    None
                }
                '^' | '$' => None,
                '*' | '+' | '?' | '{' => return Err(Unclear),
                c => Some(c),
            };
            let times = match sign {
                Some(_) => self.times()?,
                None => Times::Perhaps,
            };
            run.extend(sign.filter(|_| times != Times::Perhaps));
            if times != Times::Once {
                keep(&mut best, vec![std::mem::take(&mut run)]);
            }
        }
        keep(&mut best, vec![run]);
        Ok(best)
    }

    /// Behind its opening parenthesis.
    fn group(&mut self) -> Result<Vec<String>, Unclear> {
        if self.rest.next_if_eq(&'?').is_some() {
            self.rest.next_if_eq(&'P');
            match self.rest.next() {
                Some(':') => {}
                Some('<') => drop(self.rest.by_ref().find(|c| *c == '>')),
                _ => return Err(Unclear),
            }
        }
        let words = self.alternatives()?;
        match self.rest.next() {
            Some(')') => Ok(words),
            _ => Err(Unclear),
        }
    }

    /// To the end of a class, behind its opening bracket; one right behind that is a sign of the class.
    fn class(&mut self) -> Result<(), Unclear> {
        self.rest.next_if_eq(&'^');
        self.rest.next_if_eq(&']');
        loop {
            match self.rest.next().ok_or(Unclear)? {
                ']' => return Ok(()),
                '\\' => drop(self.rest.next()),
                '[' if self.rest.peek() == Some(&':') => {
                    self.rest.find(|c| *c == ']').ok_or(Unclear)?;
                }
                // A class in a class.
                '[' | '&' | '~' => return Err(Unclear),
                _ => {}
            }
        }
    }

    /// Behind a backslash: the sign it stands for, if it is one.
    fn escaped(&mut self) -> Result<Option<char>, Unclear> {
        match self.rest.next().ok_or(Unclear)? {
            't' => Ok(Some('\t')),
            e if !e.is_alphanumeric() => Ok(Some(e)),
            'd' | 'D' | 's' | 'S' | 'w' | 'W' => {
                self.times()?;
                Ok(None)
            }
            'b' | 'B' | 'A' | 'z' => Ok(None),
            'r' => Ok(Some('\r')),
            'n' => Ok(Some('\n')),
            _ => Err(Unclear),
        }
    }

    /// How often what stands before is there.
    fn times(&mut self) -> Result<Times, Unclear> {
        let times = match self.rest.next_if(|c| matches!(c, '*' | '?' | '+' | '{')) {
            None => return Ok(Times::Once),
            Some('+') => Times::Some,
            Some('{') => {
                let within: String = self.rest.by_ref().take_while(|c| *c != '}').collect();
                let least = within.split(',').next().unwrap_or("").trim();
                match least.parse::<u32>() {
                    Ok(0) => Times::Perhaps,
                    Ok(_) => Times::Some,
                    Err(_) => return Err(Unclear),
                }
            }
            Some(_) => Times::Perhaps,
        };
        self.rest.next_if_eq(&'?');
        Ok(times)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::{
        prelude::*,
        strategy::ValueTree,
        string::string_regex,
        test_runner::{Config, TestRunner},
    };

    #[test]
    fn words_are_read_as_written() {
        for (pattern, want) in [
            (
                r"^Accepted (?P<m>\w+) for (?P<user>\S+)",
                &["Accepted "][..],
            ),
            (r"a+b?cdef\[x\]", &["cdef[x]"]),
            (r"(^|\s)(named|dhcpd)(\[\d+\])?: ", &["dhcpd", "named"]),
            (r"one|two", &["one", "two"]),
            (r"one|\d+", &[]),
            (r"(one|two)? -", &[" -"]),
            (r"x{2,}y{0,3}ab{1}", &["ab"]),
            (r"(?i)login", &[]),
            (r"a (?i:login)", &[]),
            (r"\x41b", &[]),
            (r"é|a", &[]),
            (r"[^\]x]abc[]a]", &["abc"]),
            (r"ab(c|d)ef(gh|ijk)lmn", &["lmn"]),
            (r"\d{4}(INFO|WARN): [[:alpha:]]+?", &["INFO", "WARN"]),
            (r"", &[]),
        ] {
            assert_eq!(words(pattern), want, "{pattern}");
        }
    }

    /// Texts made from the expressions of all mappings.
    #[test]
    fn every_match_has_one_of_the_words() {
        let sniffed = crate::MAPPED.iter().flat_map(|m| {
            let lines = m.text().lines();
            let written = lines.filter_map(|l| l.trim().strip_prefix("regex = "));
            written.filter_map(|v| {
                let table: toml::Table = format!("v = {v}").parse().ok()?;
                Some(table["v"].as_str()?.to_string())
            })
        });
        let mut runner = TestRunner::new_with_rng(
            Config::default(),
            proptest::test_runner::TestRng::deterministic_rng(
                proptest::test_runner::RngAlgorithm::ChaCha,
            ),
        );
        let (mut with, mut made) = (0, 0);
        for pattern in sniffed {
            let words = words(&pattern);
            if words.is_empty() {
                continue;
            }
            with += 1;
            // Places are not made, only what stands between them.
            let plain = pattern.replace("(^|", "(|").replace("|^)", "|)");
            let plain = plain.trim_start_matches('^').trim_end_matches('$');
            let plain = plain
                .replace(r"\b", "")
                .replace("|$)", "|)")
                .replace("|^", "|");
            let (Ok(whole), Ok(texts)) = (regex::Regex::new(&pattern), string_regex(&plain)) else {
                continue;
            };
            for _ in 0..40 {
                let text = texts.new_tree(&mut runner).expect("a text").current();
                if whole.is_match(&text) {
                    made += 1;
                    assert!(
                        words.iter().any(|w| text.contains(w)),
                        "{pattern}: {text:?}"
                    );
                }
            }
        }
        assert!(
            with > 1000 && made > 20_000,
            "{with} expressions, {made} texts"
        );
    }

    proptest! {
        #[test]
        fn whatever_is_written_has_its_words(pattern in "([ab][+?*]?|\\(([a-c]{1,2}\\|)?[a-c]?\\)[?+]?|\\[ab\\]|\\||c\\{[0-2]\\}){1,6}", text in "[a-c]{0,9}") {
            let words = words(&pattern);
            if let Ok(whole) = regex::Regex::new(&pattern) && whole.is_match(&text) && !words.is_empty() {
                prop_assert!(words.iter().any(|w| text.contains(w)), "{} {:?}", pattern, words);
            }
        }
    }
}
