//! Text folding for names and paths: case, accents, typographic signs. Pure functions.

/// Lower case without accents, the form FHIR string search compares (R4 §3.1.1.4.8): `É` = `e`, `œ` = `oe`, `’` = `'`.
/// Combining marks are dropped, runs of blanks become one, ends are trimmed.
pub fn name(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut blank = false;
    for c in text.trim().chars() {
        if c.is_ascii() {
            if c.is_ascii_whitespace() {
                blank = true;
                continue;
            }
            if blank {
                out.push(' ');
                blank = false;
            }
            out.push(c.to_ascii_lowercase());
            continue;
        }
        if c == '\u{a0}' || c == '\u{202f}' {
            blank = true;
            continue;
        }
        if blank {
            out.push(' ');
            blank = false;
        }
        push_folded(c, &mut out);
    }
    out
}

fn push_folded(c: char, out: &mut String) {
    if ('\u{300}'..='\u{36f}').contains(&c) {
        return;
    }
    for l in c.to_lowercase() {
        match base(l) {
            Some(b) => out.push_str(b),
            None if ('\u{300}'..='\u{36f}').contains(&l) => {}
            None => out.push(l),
        }
    }
}

/// The letters under an accented lower-case letter of Latin-1 and Latin Extended-A, and plain signs for typographic ones.
pub fn base(c: char) -> Option<&'static str> {
    Some(match c {
        'à'..='å' | 'ā' | 'ă' | 'ą' | 'ǎ' => "a",
        'æ' => "ae",
        'ç' | 'ć' | 'ĉ' | 'ċ' | 'č' => "c",
        'ď' | 'đ' | 'ð' => "d",
        'è'..='ë' | 'ē' | 'ĕ' | 'ė' | 'ę' | 'ě' | 'ẽ' => "e",
        'ĝ' | 'ğ' | 'ġ' | 'ģ' => "g",
        'ĥ' | 'ħ' => "h",
        'ì'..='ï' | 'ĩ' | 'ī' | 'ĭ' | 'į' | 'ı' => "i",
        'ĵ' => "j",
        'ķ' => "k",
        'ĺ' | 'ļ' | 'ľ' | 'ŀ' | 'ł' => "l",
        'ñ' | 'ń' | 'ņ' | 'ň' => "n",
        'ò'..='ö' | 'ø' | 'ō' | 'ŏ' | 'ő' => "o",
        'œ' => "oe",
        'ŕ' | 'ŗ' | 'ř' => "r",
        'ś' | 'ŝ' | 'ş' | 'š' | 'ș' => "s",
        'ß' => "ss",
        'ţ' | 'ť' | 'ŧ' | 'ț' => "t",
        'ù'..='ü' | 'ũ' | 'ū' | 'ŭ' | 'ů' | 'ű' | 'ų' => "u",
        'ŵ' => "w",
        'ý' | 'ÿ' | 'ŷ' | 'ỳ' => "y",
        'ź' | 'ż' | 'ž' => "z",
        '’' | '‘' | 'ʼ' | '´' => "'",
        '‐' | '‑' | '–' | '—' => "-",
        _ => return None,
    })
}

/// The accented letter of a base letter and a combining mark, for the marks French and its neighbours use.
fn composed(base: char, mark: char) -> Option<char> {
    let row = match mark {
        '\u{300}' => "aàeèiìoòuùAÀEÈIÌOÒUÙ",
        '\u{301}' => "aáeéiíoóuúyýAÁEÉIÍOÓUÚYÝcćnńsśzź",
        '\u{302}' => "aâeêiîoôuûAÂEÊIÎOÔUÛ",
        '\u{303}' => "aãnñoõAÃNÑOÕ",
        '\u{308}' => "aäeëiïoöuüyÿAÄEËIÏOÖUÜ",
        '\u{30a}' => "aåAÅ",
        '\u{327}' => "cçCÇ",
        '\u{30c}' => "cčsšzžCČSŠZŽ",
        _ => return None,
    };
    let mut it = row.chars();
    while let (Some(b), Some(c)) = (it.next(), it.next()) {
        if b == base {
            return Some(c);
        }
    }
    None
}

/// A path as the contract compares paths: composed letters, no case, `\` for `/`, no doubled or trailing separators
/// (a leading `\\` of a UNC path stays).
pub fn path(text: &str) -> String {
    let mut chars: Vec<char> = Vec::with_capacity(text.len());
    for c in text.chars() {
        if let Some(last) = chars.last().copied()
            && let Some(one) = composed(last, c)
        {
            chars.pop();
            chars.push(one);
            continue;
        }
        chars.push(if c == '/' { '\\' } else { c });
    }
    let unc = chars.starts_with(&['\\', '\\']);
    let mut out = String::with_capacity(text.len());
    if unc {
        out.push('\\');
    }
    let mut last = '\0';
    for c in chars {
        if c == '\\' && last == '\\' {
            continue;
        }
        last = c;
        out.extend(c.to_lowercase());
    }
    while out.len() > 2 && out.ends_with('\\') {
        out.pop();
    }
    out
}

/// Bytes as text: UTF-8, else Windows-1252 (contract §D).
pub fn text_of(bytes: &[u8]) -> String {
    match std::str::from_utf8(bytes) {
        Ok(s) => s.to_string(),
        Err(_) => bytes.iter().map(|b| cp1252(*b)).collect(),
    }
}

/// The character a byte stands for in Windows-1252; the five bytes it leaves open stay themselves.
pub fn cp1252(b: u8) -> char {
    const HIGH: [char; 32] = [
        '€', '\u{81}', '‚', 'ƒ', '„', '…', '†', '‡', 'ˆ', '‰', 'Š', '‹', 'Œ', '\u{8d}', 'Ž',
        '\u{8f}', '\u{90}', '‘', '’', '“', '”', '•', '–', '—', '˜', '™', 'š', '›', 'œ', '\u{9d}',
        'ž', 'Ÿ',
    ];
    match b {
        0x80..=0x9f => HIGH[usize::from(b - 0x80)],
        _ => char::from(b),
    }
}

/// The character a byte stands for in code page 850, in which the command line of a Western European Windows prints.
pub fn cp850(b: u8) -> char {
    const HIGH: [char; 128] = [
        'Ç', 'ü', 'é', 'â', 'ä', 'à', 'å', 'ç', 'ê', 'ë', 'è', 'ï', 'î', 'ì', 'Ä', 'Å', 'É', 'æ',
        'Æ', 'ô', 'ö', 'ò', 'û', 'ù', 'ÿ', 'Ö', 'Ü', 'ø', '£', 'Ø', '×', 'ƒ', 'á', 'í', 'ó', 'ú',
        'ñ', 'Ñ', 'ª', 'º', '¿', '®', '¬', '½', '¼', '¡', '«', '»', '░', '▒', '▓', '│', '┤', 'Á',
        'Â', 'À', '©', '╣', '║', '╗', '╝', '¢', '¥', '┐', '└', '┴', '┬', '├', '─', '┼', 'ã', 'Ã',
        '╚', '╔', '╩', '╦', '╠', '═', '╬', '¤', 'ð', 'Ð', 'Ê', 'Ë', 'È', 'ı', 'Í', 'Î', 'Ï', '┘',
        '┌', '█', '▄', '¦', 'Ì', '▀', 'Ó', 'ß', 'Ô', 'Ò', 'õ', 'Õ', 'µ', 'þ', 'Þ', 'Ú', 'Û', 'Ù',
        'ý', 'Ý', '¯', '´', '\u{ad}', '±', '‗', '¾', '¶', '§', '÷', '¸', '°', '¨', '·', '¹', '³',
        '²', '■', '\u{a0}',
    ];
    match b {
        0x80.. => HIGH[usize::from(b - 0x80)],
        _ => char::from(b),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    #[test]
    fn names_lose_case_and_accents() {
        assert_eq!(name("  ÉLODIE  "), "elodie");
        assert_eq!(name("E\u{301}lodie"), "elodie");
        assert_eq!(name("D’Œuvre  Saint"), "d'oeuvre saint");
        assert_eq!(name("MÜLLER-ß"), "muller-ss");
    }
    #[test]
    fn paths_are_one_spelling() {
        assert_eq!(path("RH/2023/Rib.PDF"), "rh\\2023\\rib.pdf");
        assert_eq!(path("\\\\FS01\\RH$\\"), "\\\\fs01\\rh$");
        assert_eq!(path("e\u{301}te\u{301}"), "été");
        assert_eq!(path("a//b\\\\c"), "a\\b\\c");
    }
    #[test]
    fn bytes_that_are_no_utf8_are_windows_1252() {
        assert_eq!(text_of(b"r\xe9sultat"), "résultat");
        assert_eq!(text_of("résultat".as_bytes()), "résultat");
    }
}
