//! Honest random editing of a document by one Yjs client, and its content in one form, whoever shows it.

// Each test binary that includes this uses its own part of it.
#![allow(dead_code)]

use serde_json::{Map as Fields, Value, json};
use std::sync::Arc;
use yrs::{
    Any, Array, ArrayPrelim, ArrayRef, ClientID, Doc, GetString, Map, MapPrelim, MapRef, Number, OffsetKind, Options,
    Out, ReadTxn, StateVector, Text, TextPrelim, Transact, TransactionMut, Update, WriteTxn, Xml, XmlElementPrelim,
    XmlFragment, XmlFragmentRef, XmlOut, XmlTextPrelim,
    types::{Attrs, text::YChange},
    updates::{decoder::Decode, encoder::Encode},
};

/// A number below the one that it is given.
pub type Below<'a> = &'a mut dyn FnMut(u64) -> u64;

/// A replica, and whoever edits it.
pub struct Editor {
    /// The replica.
    pub doc: Doc,
}

impl Editor {
    /// A replica without anything.
    pub fn new(client: u64) -> Self {
        // Places in text are counted as browsers do.
        let options = Options { offset_kind: OffsetKind::Utf16, ..Options::default() };
        Self { doc: Doc::with_options(Options { client_id: ClientID::new(client), ..options }) }
    }

    /// Edits something; tells the update.
    pub fn edit(&self, below: Below<'_>) -> Vec<u8> {
        let mut txn = self.doc.transact_mut();
        for _ in 0..=below(3) {
            change(&mut txn, below);
        }
        txn.encode_update_v1()
    }

    /// Takes an update in, and fails when something of it is kept pending.
    pub fn apply(&self, update: &[u8]) {
        let update = Update::decode_v1(update).expect("an update");
        let mut txn = self.doc.transact_mut();
        txn.apply_update(update).expect("a legal update");
        assert!(!txn.has_missing_updates(), "something is pending");
    }

    /// What a state vector lacks.
    pub fn lacking(&self, vector: &StateVector) -> Vec<u8> {
        self.doc.transact().encode_diff_v1(vector)
    }

    /// The whole state.
    pub fn everything(&self) -> Vec<u8> {
        self.lacking(&StateVector::default())
    }

    /// The state vector.
    pub fn vector(&self) -> StateVector {
        self.doc.transact().state_vector()
    }

    /// The state vector as it travels.
    pub fn encoded_vector(&self) -> Vec<u8> {
        self.vector().encode_v1()
    }

    /// The state vector by client, in order.
    pub fn clocks(&self) -> Vec<(u64, u32)> {
        let mut clocks: Vec<_> = self.vector().iter().map(|(client, clock)| (client.get(), *clock)).collect();
        clocks.sort_unstable();
        clocks
    }

    /// The content, the same for equal documents.
    pub fn content(&self) -> Value {
        let (text, map) = (self.doc.get_or_insert_text("text"), self.doc.get_or_insert_map("map"));
        let (array, xml) = (self.doc.get_or_insert_array("array"), self.doc.get_or_insert_xml_fragment("xml"));
        let txn = self.doc.transact();
        canonical(json!({
            "text": chunks(&text, &txn),
            "map": fields(&map, &txn),
            "array": items(&array, &txn),
            "xml": children(&xml, &txn),
        }))
    }
}

fn change(txn: &mut TransactionMut<'_>, below: Below<'_>) {
    match below(12) {
        0..=3 => {
            let text = txn.get_or_insert_text("text");
            change_text(&text, txn, below);
        }
        4 | 5 => {
            let map = txn.get_or_insert_map("map");
            change_map(&map, txn, below);
        }
        6 | 7 => {
            let array = txn.get_or_insert_array("array");
            change_array(&array, txn, below);
        }
        8 | 9 => {
            let xml = txn.get_or_insert_xml_fragment("xml");
            change_xml(&xml, txn, below);
        }
        _ => {
            let map = txn.get_or_insert_map("map");
            let inner = map.get(txn, &key(below));
            change_inner(inner, txn, below);
        }
    }
}

fn change_inner(inner: Option<Out>, txn: &mut TransactionMut<'_>, below: Below<'_>) {
    match inner {
        Some(Out::YText(text)) => change_text(&text, txn, below),
        Some(Out::YMap(map)) => {
            let deeper = map.get(txn, &key(below));
            match (deeper, below(3)) {
                (Some(Out::YMap(_) | Out::YArray(_) | Out::YText(_)), 0) => {
                    let deeper = map.get(txn, &key(below));
                    change_inner(deeper, txn, below);
                }
                _ => change_map(&map, txn, below),
            }
        }
        Some(Out::YArray(array)) => change_array(&array, txn, below),
        _ => {}
    }
}

fn key(below: Below<'_>) -> String {
    format!("k{}", below(8))
}

fn words(below: Below<'_>) -> &'static str {
    ["a", "bc", "ü", "😀", "hello ", "\u{202e}x", "😀😀", "0123456789"][below(8) as usize]
}

fn value(below: Below<'_>) -> Any {
    match below(9) {
        0 => Any::Null,
        1 => Any::Bool(below(2) == 0),
        2 => Any::Number(Number::Int(below(1_000) as i64 - 500)),
        3 => Any::Number(Number::Int(9_007_199_254_740_991)),
        // What every parser of decimals reads as it is.
        4 => Any::Number(Number::Float(0.25 * below(100) as f64 + 0.125)),
        5 => Any::from(vec![Any::from(words(below)), Any::Null]),
        6 => Any::from(std::collections::HashMap::from([("x".to_owned(), Any::from(words(below)))])),
        _ => Any::from(words(below)),
    }
}

/// Places between whole characters: editors do not put a cursor into the middle of a surrogate pair, and Yjs does not
/// promise what follows if one does.
fn cuts(text: &impl Text, txn: &impl ReadTxn) -> Vec<u32> {
    let (mut at, mut cuts) = (0, vec![0]);
    for chunk in text.diff(txn, YChange::identity) {
        match chunk.insert {
            Out::Any(Any::String(words)) => {
                for one in words.chars() {
                    at += one.len_utf16() as u32;
                    cuts.push(at);
                }
            }
            _ => {
                at += 1;
                cuts.push(at);
            }
        }
    }
    cuts
}

fn some_of(cuts: &[u32], below: Below<'_>) -> (u32, u32) {
    let from = below(cuts.len() as u64) as usize;
    let to = (from + below(6) as usize).min(cuts.len() - 1);
    (cuts[from], cuts[to] - cuts[from])
}

fn marks(below: Below<'_>) -> Attrs {
    let value = [Any::Bool(true), Any::Null, Any::from("red")][below(3) as usize].clone();
    Attrs::from([(Arc::from(["bold", "color"][below(2) as usize]), value)])
}

fn change_text(text: &impl Text, txn: &mut TransactionMut<'_>, below: Below<'_>) {
    let (at, length) = some_of(&cuts(text, txn), below);
    match below(10) {
        0..=4 => text.insert(txn, at, words(below)),
        5 => text.insert_with_attributes(txn, at, words(below), marks(below)),
        6 if length > 0 => text.format(txn, at, length, marks(below)),
        7 => {
            let picture = Any::from(std::collections::HashMap::from([("image".to_owned(), Any::from("x.png"))]));
            text.insert_embed(txn, at, picture);
        }
        _ if length > 0 => text.remove_range(txn, at, length),
        _ => {}
    }
}

fn change_map(map: &MapRef, txn: &mut TransactionMut<'_>, below: Below<'_>) {
    let key = key(below);
    match below(8) {
        0 => drop(map.remove(txn, &key)),
        1 => drop(map.insert(txn, key, MapPrelim::from([("k1", value(below))]))),
        2 => drop(map.insert(txn, key, ArrayPrelim::from([value(below), value(below)]))),
        3 => drop(map.insert(txn, key, TextPrelim::new(words(below)))),
        _ => drop(map.insert(txn, key, value(below))),
    }
}

fn change_array(array: &ArrayRef, txn: &mut TransactionMut<'_>, below: Below<'_>) {
    let length = array.len(txn);
    let at = below(u64::from(length) + 1) as u32;
    match below(8) {
        0 | 1 if at < length => array.remove_range(txn, at, (below(3) as u32 + 1).min(length - at)),
        2 => drop(array.insert(txn, at, MapPrelim::from([("k2", value(below))]))),
        3 => drop(array.insert(txn, at, TextPrelim::new(words(below)))),
        _ => array.insert_range(txn, at, [value(below), value(below)]),
    }
}

fn change_xml(xml: &XmlFragmentRef, txn: &mut TransactionMut<'_>, below: Below<'_>) {
    let length = xml.len(txn);
    let at = below(u64::from(length) + 1) as u32;
    if at == length {
        match below(2) {
            0 => drop(xml.insert(txn, at, XmlElementPrelim::empty(["p", "h1"][below(2) as usize]))),
            _ => drop(xml.insert(txn, at, XmlTextPrelim::new(words(below)))),
        }
        return;
    }
    match (xml.get(txn, at), below(6)) {
        (_, 0) => xml.remove_range(txn, at, 1),
        (Some(XmlOut::Text(text)), _) => change_text(&text, txn, below),
        (Some(XmlOut::Element(element)), 1) => drop(element.insert_attribute(txn, key(below), words(below))),
        (Some(XmlOut::Element(element)), 2) => drop(element.insert(txn, 0, XmlElementPrelim::empty("li"))),
        (Some(XmlOut::Element(element)), _) => {
            let first = element.get(txn, 0);
            match first {
                Some(XmlOut::Text(text)) => change_text(&text, txn, below),
                _ => drop(element.insert(txn, 0, XmlTextPrelim::new(words(below)))),
            }
        }
        _ => {}
    }
}

fn shown(out: &Out, txn: &impl ReadTxn) -> Value {
    match out {
        Out::Any(any) => shown_any(any),
        Out::YText(text) => json!({ "text": chunks(text, txn) }),
        Out::YXmlText(text) => json!({ "text": chunks(text, txn) }),
        Out::YArray(array) => json!({ "array": items(array, txn) }),
        Out::YMap(map) => json!({ "map": fields(map, txn) }),
        Out::YXmlElement(element) => {
            let attributes: Fields<String, Value> =
                element.attributes(txn).map(|(name, value)| (name.to_string(), shown(&value, txn))).collect();
            json!({ "name": &**element.tag(), "attributes": attributes, "xml": children(element, txn) })
        }
        Out::YXmlFragment(fragment) => json!({ "xml": children(fragment, txn) }),
        Out::YDoc(_) | Out::UndefinedRef(_) => json!("not made here"),
    }
}

fn shown_any(any: &Any) -> Value {
    match any {
        Any::Null | Any::Undefined => Value::Null,
        Any::Bool(flag) => json!(flag),
        Any::Number(Number::Int(number)) => json!(number),
        Any::Number(Number::Float(number)) => json!(number),
        Any::String(text) => json!(&**text),
        Any::Buffer(bytes) => json!(&**bytes),
        Any::Array(items) => items.iter().map(shown_any).collect(),
        Any::Map(fields) => fields.iter().map(|(name, value)| (name.clone(), shown_any(value))).collect(),
    }
}

/// Text in pieces of the same marks; how it is cut within them says nothing.
fn chunks(text: &impl Text, txn: &impl ReadTxn) -> Value {
    let mut pieces: Vec<(Value, Value)> = vec![];
    for chunk in text.diff(txn, YChange::identity) {
        let marks: Fields<String, Value> = chunk
            .attributes
            .iter()
            .flat_map(|marks| marks.iter())
            .filter(|(_, value)| **value != Any::Null)
            .map(|(name, value)| (name.to_string(), shown_any(value)))
            .collect();
        let (what, marks) = (shown(&chunk.insert, txn), Value::Object(marks));
        match (pieces.last_mut(), &what) {
            (Some((Value::String(last), same)), Value::String(more)) if *same == marks => last.push_str(more),
            _ => pieces.push((what, marks)),
        }
    }
    json!(pieces)
}

fn items(array: &ArrayRef, txn: &impl ReadTxn) -> Value {
    array.iter(txn).map(|item| shown(&item, txn)).collect()
}

fn fields(map: &MapRef, txn: &impl ReadTxn) -> Value {
    map.iter(txn).map(|(name, value)| (name.to_string(), shown(&value, txn))).collect()
}

fn children(xml: &impl XmlFragment, txn: &impl ReadTxn) -> Value {
    xml.children(txn).map(|child| shown(&child.into(), txn)).collect()
}

/// Numbers as browsers have them: all of one kind.
pub fn canonical(value: Value) -> Value {
    match value {
        Value::Number(number) => json!(number.as_f64()),
        Value::Array(items) => items.into_iter().map(canonical).collect(),
        Value::Object(fields) => fields.into_iter().map(|(name, value)| (name, canonical(value))).collect(),
        Value::Null | Value::Bool(_) | Value::String(_) => value,
    }
}

/// Text alone.
pub fn text_of(doc: &Doc) -> String {
    let text = doc.get_or_insert_text("text");
    text.get_string(&doc.transact())
}
