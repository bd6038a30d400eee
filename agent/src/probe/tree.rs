//! What devices answer in XML or JSON, as one tree of names and texts. Pure and bounded.
//!
//! Vendors mix namespaces within one document, write the same list as one element or many, and answer in XML where JSON was
//! asked for. So a name is its local part, a list in JSON is its key over and over, and which of the two it was
//! makes no difference to the reader. Nothing is expanded beyond the five entities of XML 1.0 and character numbers, and a
//! document type, which web pages begin with, is refused. A document that is cut off is no document: half a list of disks
//! would look like fewer disks.

use encoding_rs::GB18030;

/// Bytes of one document.
pub const BYTES_MAX: usize = 1 << 20;
/// Elements of one document.
const NODES_MAX: usize = 40_000;
/// Elements within each other.
const DEPTH_MAX: usize = 48;

/// One element.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Node {
    /// Its local name; that of the document itself is empty in JSON.
    pub name: String,
    /// Its own text, trimmed.
    pub text: String,
    /// Names without namespace, and values.
    pub attributes: Vec<(String, String)>,
    /// What lies in it.
    pub children: Vec<Node>,
}

/// Why bytes are no document.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Broken {
    /// Nothing was sent.
    #[error("the answer is empty")]
    Empty,
    /// It ends too early.
    #[error("the answer is cut off")]
    Cut,
    /// Over a bound.
    #[error("the answer is too large")]
    TooLarge,
    /// Anything else: a web page, a text.
    #[error("the answer is neither XML nor JSON")]
    Other,
}

impl Node {
    /// The first element of that name directly in this one.
    pub fn child(&self, name: &str) -> Option<&Self> {
        self.children.iter().find(|child| child.name == name)
    }

    /// The first element of that name, however deep, this one included.
    pub fn find(&self, name: &str) -> Option<&Self> {
        if self.name == name {
            return Some(self);
        }
        self.children.iter().find_map(|child| child.find(name))
    }

    /// All elements of that name, however deep, in their order; none within another of its kind.
    pub fn all<'n>(&'n self, name: &str) -> Vec<&'n Self> {
        let mut found = Vec::new();
        self.collect(name, &mut found);
        found
    }

    fn collect<'n>(&'n self, name: &str, found: &mut Vec<&'n Self>) {
        for child in &self.children {
            if child.name == name {
                found.push(child);
            } else {
                child.collect(name, found);
            }
        }
    }

    /// The text of the first element of that name that has any.
    pub fn word(&self, name: &str) -> Option<&str> {
        if self.name == name && !self.text.is_empty() {
            return Some(&self.text);
        }
        self.children.iter().find_map(|child| child.word(name))
    }

    /// The same as a finite number.
    pub fn number(&self, name: &str) -> Option<f64> {
        self.word(name)?.parse().ok().filter(|number: &f64| number.is_finite())
    }

    /// The same as yes or no, which devices write in words or as 1 and 0.
    pub fn flag(&self, name: &str) -> Option<bool> {
        truth(self.word(name)?)
    }

    /// The value of an attribute.
    pub fn attribute(&self, name: &str) -> Option<&str> {
        self.attributes.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }
}

/// Yes or no in the words of devices.
pub fn truth(word: &str) -> Option<bool> {
    match word.to_ascii_lowercase().as_str() {
        "true" | "1" | "on" | "yes" | "enable" | "enabled" => Some(true),
        "false" | "0" | "off" | "no" | "disable" | "disabled" => Some(false),
        _ => None,
    }
}

/// Text that is not UTF-8 is GB18030, of which GB 2312 and GBK are parts, whatever its first line says.
pub fn text(bytes: &[u8]) -> String {
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    match std::str::from_utf8(bytes) {
        Ok(text) => text.to_owned(),
        Err(_) => GB18030.decode_without_bom_handling(bytes).0.into_owned(),
    }
}

/// Reads a document of either kind.
pub fn parse(bytes: &[u8]) -> Result<Node, Broken> {
    if bytes.len() > BYTES_MAX {
        return Err(Broken::TooLarge);
    }
    let text = text(bytes);
    let text = text.trim_matches(|letter: char| letter.is_whitespace() || letter == '\0');
    match text.as_bytes().first() {
        None => Err(Broken::Empty),
        Some(b'<') => xml(text),
        Some(b'{' | b'[') => {
            let value: serde_json::Value = serde_json::from_str(text)
                .map_err(|error| if error.is_eof() { Broken::Cut } else { Broken::Other })?;
            let (mut root, mut left) = (Node::default(), NODES_MAX);
            json(&mut root, value, &mut left, 0)?;
            Ok(root)
        }
        Some(_) => Err(Broken::Other),
    }
}

fn json(node: &mut Node, value: serde_json::Value, left: &mut usize, depth: usize) -> Result<(), Broken> {
    use serde_json::Value;
    if depth > DEPTH_MAX {
        return Err(Broken::TooLarge);
    }
    match value {
        Value::Null => {}
        Value::Bool(flag) => node.text = flag.to_string(),
        Value::Number(number) => node.text = number.to_string(),
        Value::String(text) => text.trim().clone_into(&mut node.text),
        Value::Array(items) => {
            for item in items {
                add(node, String::new(), item, left, depth)?;
            }
        }
        Value::Object(map) => {
            for (name, value) in map {
                match value {
                    Value::Array(items) => {
                        for item in items {
                            add(node, name.clone(), item, left, depth)?;
                        }
                    }
                    one @ (Value::Null
                    | Value::Bool(_)
                    | Value::Number(_)
                    | Value::String(_)
                    | Value::Object(_)) => add(node, name, one, left, depth)?,
                }
            }
        }
    }
    Ok(())
}

fn add(
    parent: &mut Node,
    name: String,
    value: serde_json::Value,
    left: &mut usize,
    depth: usize,
) -> Result<(), Broken> {
    *left = left.checked_sub(1).ok_or(Broken::TooLarge)?;
    let mut node = Node { name, ..Node::default() };
    json(&mut node, value, left, depth + 1)?;
    parent.children.push(node);
    Ok(())
}

fn xml(text: &str) -> Result<Node, Broken> {
    let mut open: Vec<Node> = Vec::new();
    let (mut rest, mut count) = (text, 0_usize);
    loop {
        let Some(at) = rest.find('<') else { return Err(Broken::Cut) };
        if let Some(node) = open.last_mut() {
            unescape(&rest[..at], &mut node.text);
        } else if !rest[..at].trim().is_empty() {
            return Err(Broken::Other);
        }
        rest = &rest[at + 1..];
        if let Some(inside) = rest.strip_prefix("!--") {
            rest = after(inside, "-->")?.1;
        } else if let Some(inside) = rest.strip_prefix("![CDATA[") {
            let (raw, behind) = after(inside, "]]>")?;
            let Some(node) = open.last_mut() else { return Err(Broken::Other) };
            node.text.push_str(raw);
            rest = behind;
        } else if let Some(inside) = rest.strip_prefix('?') {
            rest = after(inside, "?>")?.1;
        } else if rest.starts_with('!') {
            let is_begun = ["!--", "![CDATA["].iter().any(|whole| whole.starts_with(rest));
            return Err(if is_begun { Broken::Cut } else { Broken::Other });
        } else if let Some(inside) = rest.strip_prefix('/') {
            let (name, behind) = after(inside, ">")?;
            let Some(mut node) = open.pop() else { return Err(Broken::Other) };
            if local(name.trim()) != node.name {
                return Err(Broken::Other);
            }
            let text = node.text.trim().to_owned();
            node.text = text;
            rest = behind;
            match open.last_mut() {
                Some(parent) => parent.children.push(node),
                None => return Ok(node),
            }
        } else {
            let (tag, behind) = tag(rest)?;
            count += 1;
            if count > NODES_MAX || open.len() >= DEPTH_MAX {
                return Err(Broken::TooLarge);
            }
            rest = behind;
            let (tag, is_whole) = tag.strip_suffix('/').map_or((tag, false), |tag| (tag, true));
            let node = element(tag)?;
            match (is_whole, open.last_mut()) {
                (false, _) => open.push(node),
                (true, Some(parent)) => parent.children.push(node),
                (true, None) => return Ok(node),
            }
        }
    }
}

fn after<'t>(text: &'t str, end: &str) -> Result<(&'t str, &'t str), Broken> {
    text.split_once(end).ok_or(Broken::Cut)
}

/// A tag up to its `>`, of which values in quotes may hold some.
fn tag(text: &str) -> Result<(&str, &str), Broken> {
    let mut quote = None;
    for (at, byte) in text.bytes().enumerate() {
        match (quote, byte) {
            (None, b'>') => return Ok((&text[..at], &text[at + 1..])),
            (None, b'<') => return Err(Broken::Other),
            (None, b'"' | b'\'') => quote = Some(byte),
            (Some(open), byte) if open == byte => quote = None,
            (None | Some(_), _) => {}
        }
    }
    Err(Broken::Cut)
}

fn local(name: &str) -> &str {
    name.rsplit(':').next().unwrap_or(name)
}

/// A tag's name and attributes. Values without quotes are taken as well: devices write them.
fn element(tag: &str) -> Result<Node, Broken> {
    let (name, mut rest) = tag.split_at(tag.find(char::is_whitespace).unwrap_or(tag.len()));
    let fits = |name: &str| {
        name.chars().next().is_some_and(|first| first.is_alphabetic() || first == '_')
            && name.chars().all(|c| c.is_alphanumeric() || "-_.:".contains(c))
    };
    if !fits(name) || local(name).is_empty() {
        return Err(Broken::Other);
    }
    let mut node = Node { name: local(name).to_owned(), ..Node::default() };
    loop {
        rest = rest.trim_start();
        let Some((key, behind)) = rest.split_once('=') else { break };
        let behind = behind.trim_start();
        let (value, left) = match behind.chars().next() {
            Some(quote @ ('"' | '\'')) => after(&behind[1..], if quote == '"' { "\"" } else { "'" })?,
            Some(_) | None => behind.split_at(behind.find(char::is_whitespace).unwrap_or(behind.len())),
        };
        let mut plain = String::new();
        unescape(value, &mut plain);
        node.attributes.push((local(key.trim()).to_owned(), plain));
        rest = left;
    }
    Ok(node)
}

/// Adds text with its entities read; one that is unknown stays as it is.
fn unescape(text: &str, into: &mut String) {
    let mut rest = text;
    while let Some((before, behind)) = rest.split_once('&') {
        into.push_str(before);
        let known = behind.split_once(';').filter(|(name, _)| name.len() <= 8).and_then(|(name, left)| {
            let letter = match name {
                "lt" => '<',
                "gt" => '>',
                "amp" => '&',
                "quot" => '"',
                "apos" => '\'',
                number => {
                    let number = number.strip_prefix('#')?;
                    let code = match number.strip_prefix(['x', 'X']) {
                        Some(hex) => u32::from_str_radix(hex, 16).ok()?,
                        None => number.parse().ok()?,
                    };
                    char::from_u32(code)?
                }
            };
            Some((letter, left))
        });
        match known {
            Some((letter, left)) => {
                into.push(letter);
                rest = left;
            }
            None => {
                into.push('&');
                rest = behind;
            }
        }
    }
    into.push_str(rest);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn namespaces_lists_and_kinds_make_no_difference() {
        let xml = "\u{feff}<?xml version=\"1.0\"?><!-- a > b --><h:S xmlns:h=\"x\"><hddList size='2'><h:hdd><id>1</id>\
                   <status> ok </status></h:hdd><hdd><id>2</id><status/></hdd></hddList></h:S>";
        let json = r#"{"S": {"hddList": {"hdd": [{"id": 1, "status": "ok"}, {"id": 2, "status": null}]}}}"#;
        for document in [xml, json] {
            let tree = parse(document.as_bytes()).unwrap();
            let disks = tree.find("S").unwrap().all("hdd");
            let seen: Vec<_> = disks.iter().map(|disk| (disk.number("id"), disk.word("status"))).collect();
            assert_eq!(seen, [(Some(1.0), Some("ok")), (Some(2.0), None)], "{document}");
        }
        let one = parse(br#"{"ChanStatus": {"JSON_ChanStatus": [{"online": true}]}}"#).unwrap();
        assert_eq!(one.all("JSON_ChanStatus")[0].flag("online"), Some(true));
    }

    #[test]
    fn attributes_may_lack_quotes_and_hold_a_bracket() {
        let tree = parse(b"<a wstop:topic=true t='x>y' u = \"&lt;1&#x41;&#66;&nbsp;\"><b/></a>").unwrap();
        assert_eq!(tree.attribute("topic"), Some("true"));
        assert_eq!(tree.attribute("t"), Some("x>y"));
        assert_eq!(tree.attribute("u"), Some("<1AB&nbsp;"));
        assert_eq!(tree.children.len(), 1);
    }

    #[test]
    fn chinese_of_old_devices_is_read() {
        // "<name>" + GB18030 of 大门 + "</name>"
        let bytes = [b"<name>".as_slice(), &[0xb4, 0xf3, 0xc3, 0xc5], b"</name>"].concat();
        assert_eq!(parse(&bytes).unwrap().text, "大门");
        assert_eq!(parse("<name>大门</name>".as_bytes()).unwrap().text, "大门");
    }

    #[test]
    fn half_a_document_and_a_web_page_are_none() {
        let whole = "<a><b x=\"1\">2</b><!-- c --><d><![CDATA[<]]></d></a>";
        assert_eq!(parse(whole.as_bytes()).unwrap().word("d"), Some("<"));
        for end in 1..whole.len() {
            assert_eq!(parse(&whole.as_bytes()[..end]), Err(Broken::Cut), "{}", &whole[..end]);
        }
        assert_eq!(parse(b"{\"a\": [1, "), Err(Broken::Cut));
        assert_eq!(parse(b" \0\r\n"), Err(Broken::Empty));
        for other in
            ["<!DOCTYPE html><html></html>", "<a><br></a>", "Error\r\nBad Request!", "</a>", "<1/>", "{]"]
        {
            assert_eq!(parse(other.as_bytes()), Err(Broken::Other), "{other}");
        }
    }

    #[test]
    fn what_is_too_large_is_refused() {
        assert_eq!(parse("<a>".repeat(DEPTH_MAX + 1).as_bytes()), Err(Broken::TooLarge));
        let many = format!("<a>{}</a>", "<b/>".repeat(NODES_MAX));
        assert_eq!(parse(many.as_bytes()), Err(Broken::TooLarge));
        let many = format!("[{}0]", "0,".repeat(NODES_MAX));
        assert_eq!(parse(many.as_bytes()), Err(Broken::TooLarge));
        assert_eq!(parse(&vec![b'<'; BYTES_MAX + 1]), Err(Broken::TooLarge));
        assert!(parse(format!("{}{}", "[".repeat(60), "]".repeat(60)).as_bytes()).is_err());
    }
}
