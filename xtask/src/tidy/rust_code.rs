//! Just enough of Rust's lexical structure (The Rust Reference, "Tokens") to tell code from comments, literals and
//! tests. Lines stay where they are: what is taken out becomes spaces.

/// The code alone: comments and the contents of string and character literals are blank.
pub(super) fn code_only(text: &str) -> String {
    let octets = text.as_bytes();
    let mut code = octets.to_vec();
    let mut at = 0;
    while at < octets.len() {
        let end = match octets[at] {
            b'/' if octets[at..].starts_with(b"//") => line_end(octets, at),
            b'/' if octets[at..].starts_with(b"/*") => block_comment_end(octets, at),
            b'"' => string_end(octets, at),
            b'\'' => char_end(text, at),
            octet if is_word(octet) => {
                let end = word_end(octets, at);
                match raw_string_end(octets, at, end) {
                    Some(raw_end) => raw_end,
                    None => {
                        at = end;
                        continue;
                    }
                }
            }
            _ => at + 1,
        };
        if end > at + 1 {
            blank(&mut code[at..end]);
        }
        at = end;
    }
    String::from_utf8(code).expect("whole characters became spaces")
}

/// `code` (from [`code_only`]) with the items under `#[cfg(test)]` or `#[cfg(all(test, …))]` blank.
pub(super) fn without_tests(code: &str) -> String {
    let mut octets = code.as_bytes().to_vec();
    for attribute in ["#[cfg(test)]", "#[cfg(all(test,"] {
        for (start, _) in code.match_indices(attribute) {
            let end = item_end(code.as_bytes(), start);
            blank(&mut octets[start..end]);
        }
    }
    String::from_utf8(octets).expect("whole characters became spaces")
}

/// The lines, from one, where `needle` stands in `text` as whole words.
pub(super) fn lines_with(text: &str, needle: &str) -> Vec<usize> {
    let numbered = text.lines().enumerate();
    numbered.filter(|(_, line)| has_word(line, needle)).map(|(index, _)| index + 1).collect()
}

/// True where `needle` stands in `line` and is not a part of longer words.
pub(super) fn has_word(line: &str, needle: &str) -> bool {
    let octets = line.as_bytes();
    line.match_indices(needle).any(|(start, _)| {
        let end = start + needle.len();
        let glued = |left: usize, right: usize| {
            octets.get(left).is_some_and(|&octet| is_word(octet))
                && octets.get(right).is_some_and(|&octet| is_word(octet))
        };
        (start == 0 || !glued(start - 1, start)) && !glued(end - 1, end)
    })
}

fn is_word(octet: u8) -> bool {
    octet == b'_' || octet.is_ascii_alphanumeric() || !octet.is_ascii()
}

fn blank(octets: &mut [u8]) {
    for octet in octets.iter_mut().filter(|octet| **octet != b'\n') {
        *octet = b' ';
    }
}

fn line_end(octets: &[u8], at: usize) -> usize {
    octets[at..].iter().position(|&octet| octet == b'\n').map_or(octets.len(), |length| at + length)
}

fn word_end(octets: &[u8], at: usize) -> usize {
    octets[at..].iter().position(|&octet| !is_word(octet)).map_or(octets.len(), |length| at + length)
}

fn block_comment_end(octets: &[u8], start: usize) -> usize {
    let mut depth = 0;
    let mut at = start;
    while at < octets.len() {
        if octets[at..].starts_with(b"/*") {
            depth += 1;
            at += 2;
        } else if octets[at..].starts_with(b"*/") {
            depth -= 1;
            at += 2;
            if depth == 0 {
                return at;
            }
        } else {
            at += 1;
        }
    }
    octets.len()
}

fn string_end(octets: &[u8], start: usize) -> usize {
    let mut at = start + 1;
    while at < octets.len() {
        match octets[at] {
            b'\\' => at += 2,
            b'"' => return at + 1,
            _ => at += 1,
        }
    }
    octets.len()
}

/// The end of `r"…"`, `br#"…"#` and their kin where the word from `start` to `word_end` opens one.
fn raw_string_end(octets: &[u8], start: usize, word_end: usize) -> Option<usize> {
    if !matches!(&octets[start..word_end], b"r" | b"br" | b"cr") {
        return None;
    }
    let hashes = octets[word_end..].iter().take_while(|&&octet| octet == b'#').count();
    let content = word_end + hashes + 1;
    if octets.get(content - 1) != Some(&b'"') {
        return None;
    }
    let mut close = vec![b'"'];
    close.resize(1 + hashes, b'#');
    let length = octets[content..].windows(close.len()).position(|window| window == close);
    Some(length.map_or(octets.len(), |length| content + length + close.len()))
}

/// The end of a character literal, or of the quote alone where it opens a lifetime.
fn char_end(text: &str, start: usize) -> usize {
    let mut characters = text[start + 1..].char_indices();
    match characters.next() {
        Some((_, '\\')) => {
            let after_escaped = start + 3;
            let close =
                text.as_bytes().get(after_escaped..).and_then(|rest| rest.iter().position(|&octet| octet == b'\''));
            close.map_or(text.len(), |length| after_escaped + length + 1)
        }
        Some(_) => match characters.next() {
            Some((quote, '\'')) => start + 1 + quote + 1,
            _ => start + 1,
        },
        None => start + 1,
    }
}

/// The end of the item whose attributes begin at `start`: its closing brace or its semicolon.
fn item_end(code: &[u8], start: usize) -> usize {
    let mut nested = 0_usize;
    let mut braces = 0_usize;
    for (at, octet) in code.iter().enumerate().skip(start) {
        match octet {
            b'(' | b'[' if braces == 0 => nested += 1,
            b')' | b']' if braces == 0 => nested = nested.saturating_sub(1),
            b';' if braces == 0 && nested == 0 => return at + 1,
            b'{' => braces += 1,
            b'}' if braces <= 1 => return at + 1,
            b'}' => braces -= 1,
            _ => {}
        }
    }
    code.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_and_literals_are_blank() {
        for (text, expected) in [
            ("a // b\nc", "a     \nc"),
            ("a /* b /* c */ d */ e", "a                   e"),
            (r#"f("a\"b", c)"#, "f(      , c)"),
            ("let s = r#\"a\"b\"#; x", "let s =         ; x"),
            ("br\"\\\" y", "      y"),
            ("'a' b '\\'' c '\\u{41}' d", "    b      c          d"),
            ("fn f<'a>(x: &'a str)", "fn f<'a>(x: &'a str)"),
            ("'\u{e9}' x", "     x"),
            ("r#type x \"\" y", "r#type x    y"),
            ("/* open", "       "),
            ("\"open", "     "),
        ] {
            assert_eq!(code_only(text), expected, "{text}");
        }
    }

    #[test]
    fn a_lonely_quote_or_escape_at_the_end_is_no_trouble() {
        for text in ["'", "'\\", "'\\'", "\"\\", "r#\"", "r#", "b'", "/*/", "'\u{e9}"] {
            assert_eq!(code_only(text).len(), text.len(), "{text}");
        }
    }

    #[test]
    fn test_items_are_blank() {
        let code = "a\n#[cfg(test)]\nmod tests {\n fn f() { b }\n}\nc";
        assert_eq!(without_tests(code).split_whitespace().collect::<Vec<_>>(), ["a", "c"]);
        let code = "#[cfg(test)] mod tests; x #[cfg(all(test, unix))] fn f(a: [u8; 4]) -> u8 { {} } y";
        assert_eq!(without_tests(code).split_whitespace().collect::<Vec<_>>(), ["x", "y"]);
        assert_eq!(without_tests("#[cfg(test)] mod t {").trim(), "");
    }

    #[test]
    fn words_are_whole() {
        assert!(has_word("let now = Instant::now();", "Instant::now"));
        assert!(has_word("x.elapsed()", ".elapsed()"));
        assert!(!has_word("MyInstant::now()", "Instant::now"));
        assert!(!has_word("Instant::nowhere()", "Instant::now"));
        assert_eq!(lines_with("a\nb a\nab", "a"), [1, 2]);
    }
}
