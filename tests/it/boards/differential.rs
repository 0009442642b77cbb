//! yrs and Yjs on the same updates: random edits by both, exchanged through the server's own replica behind its walk,
//! and everybody ends with the same.

use super::honest::{Editor, canonical};
use crate::harness::{Dice, is_long, user};
use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::{Value, json};
use std::{
    collections::HashMap,
    io::{BufRead, BufReader, Write},
    path::Path,
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
};
use stoa::hub::Replica;
use stoa_rooms::document::read_state_vector;
use yrs::{StateVector, updates::decoder::Decode};

/// Documents of the short form and of the long one.
const DOCUMENTS: [u32; 2] = [150, 5_000];
/// Editors of each kind.
const EACH: u64 = 2;

/// Replicas of Yjs in a process of their own; it ends with its input.
struct Yjs {
    child: Child,
    input: Option<ChildStdin>,
    output: BufReader<ChildStdout>,
}

impl Yjs {
    fn start() -> Self {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/yjs");
        let mut child = Command::new("node")
            .arg("replicas.mjs")
            .current_dir(folder)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("node is there");
        let input = child.stdin.take();
        let output = BufReader::new(child.stdout.take().expect("is piped"));
        Self { child, input, output }
    }

    fn ask(&mut self, what: Value) -> Value {
        let input = self.input.as_mut().expect("it runs");
        writeln!(input, "{what}").expect("it reads");
        let mut line = String::new();
        self.output.read_line(&mut line).expect("it writes");
        serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error} in the answer to {what}: {line}"))
    }

    fn ask_bytes(&mut self, what: Value) -> Vec<u8> {
        STANDARD.decode(self.ask(what).as_str().expect("text")).expect("base64")
    }
}

impl Drop for Yjs {
    fn drop(&mut self) {
        self.input = None;
        // It was going to end by itself.
        let _status = self.child.wait();
    }
}

/// What the server has of a document: the replica, and what it would have written to disk.
struct Served {
    replica: Replica,
    waiting: Vec<Vec<u8>>,
    stored: Vec<Vec<u8>>,
}

impl Served {
    fn new() -> Self {
        Self { replica: built(&[]), waiting: vec![], stored: vec![] }
    }

    fn take(&mut self, from: u64, update: Vec<u8>) {
        let user = user(&format!("u{from}"));
        let walked = self.replica.examine(&update, &user);
        let walked = walked.unwrap_or_else(|reason| panic!("{reason:?} for an honest update: {update:?}"));
        if !walked.is_idle() {
            self.replica.take(&update, &walked, &user).expect("what the walk lets through is integrated");
            self.waiting.push(update);
        }
    }

    fn save(&mut self) {
        match self.waiting.len() {
            0 => {}
            1 => self.stored.append(&mut self.waiting),
            _ => self.stored.push(Replica::merge(std::mem::take(&mut self.waiting)).expect("merges")),
        }
    }

    /// The state becomes one update in place of many.
    fn fold(&mut self) {
        self.save();
        self.stored = vec![lacking(&self.replica, &HashMap::new())];
    }
}

fn built(stored: &[Vec<u8>]) -> Replica {
    Replica::build(stored.iter().map(Vec::as_slice), HashMap::new()).expect("what was stored is read")
}

fn lacking(replica: &Replica, vector: &HashMap<u64, u32>) -> Vec<u8> {
    replica.lacking(vector).expect("encodes")
}

fn seen(replica: &Replica) -> Value {
    let editor = Editor::new(99);
    editor.apply(&lacking(replica, &HashMap::new()));
    editor.content()
}

/// One document and everybody in it: even editors are of Yjs, odd ones of yrs.
struct Party<'y> {
    yjs: &'y mut Yjs,
    served: Served,
    editors: HashMap<u64, Editor>,
}

impl<'y> Party<'y> {
    fn begin(yjs: &'y mut Yjs, seed: u64) -> Self {
        yjs.ask(json!(["seed", seed & 0x7fff_ffff]));
        for name in (0..2 * EACH).step_by(2) {
            yjs.ask(json!(["make", name, 1_000 + name]));
        }
        let editors = (0..2 * EACH).filter(|name| name % 2 == 1).map(|name| (name, Editor::new(1_000 + name)));
        Self { yjs, served: Served::new(), editors: editors.collect() }
    }

    fn edit(&mut self, name: u64, dice: &mut Dice) {
        match self.editors.get(&name) {
            Some(editor) => drop(editor.edit(&mut |end| dice.below(end))),
            None => drop(self.yjs.ask(json!(["edit", name]))),
        }
    }

    fn lacking(&mut self, name: u64, vector: &[u8]) -> Vec<u8> {
        match self.editors.get(&name) {
            Some(editor) => editor.lacking(&StateVector::decode_v1(vector).expect("a state vector")),
            None => self.yjs.ask_bytes(json!(["lacking", name, STANDARD.encode(vector)])),
        }
    }

    fn vector(&mut self, name: u64) -> Vec<u8> {
        match self.editors.get(&name) {
            Some(editor) => editor.encoded_vector(),
            None => self.yjs.ask_bytes(json!(["vector", name])),
        }
    }

    fn apply(&mut self, name: u64, update: &[u8]) {
        match self.editors.get(&name) {
            Some(editor) => editor.apply(update),
            None => {
                let is_whole = self.yjs.ask(json!(["apply", name, STANDARD.encode(update)]));
                assert_eq!(is_whole, true, "Yjs keeps something pending of what the server sends");
            }
        }
    }

    fn content(&mut self, name: u64) -> Value {
        match self.editors.get(&name) {
            Some(editor) => editor.content(),
            None => canonical(self.yjs.ask(json!(["content", name]))),
        }
    }

    /// What the server lacks, or everything, as after a long time.
    fn send(&mut self, name: u64, everything: bool) {
        let vector = if everything { vec![0] } else { self.served.replica.vector() };
        let update = self.lacking(name, &vector);
        self.served.take(name, update);
    }

    fn receive(&mut self, name: u64) {
        let vector = read_state_vector(&self.vector(name)).expect("a state vector");
        let update = lacking(&self.served.replica, &vector);
        self.apply(name, &update);
    }

    fn step(&mut self, dice: &mut Dice) {
        let name = dice.below(2 * EACH);
        match dice.below(10) {
            0..=4 => self.edit(name, dice),
            5 | 6 => self.send(name, dice.below(5) == 0),
            7 | 8 => self.receive(name),
            _ if dice.below(6) == 0 => self.served.fold(),
            _ => self.served.save(),
        }
    }

    fn end(mut self) {
        // Yjs takes superfluous marks out when it hears of others' edits, and has then something to say itself.
        for _ in 0..3 {
            (0..2 * EACH).for_each(|name| self.send(name, false));
            (0..2 * EACH).for_each(|name| self.receive(name));
        }
        self.served.save();
        let (content, vector) = (seen(&self.served.replica), self.served.replica.clocks().clone());
        for name in 0..2 * EACH {
            assert_eq!(self.content(name), content, "editor {name} and the server");
            let own = read_state_vector(&self.vector(name)).expect("a state vector");
            assert_eq!(own, vector, "the state vectors of editor {name} and of the server");
        }
        let fresh = built(&self.served.stored);
        assert_eq!((seen(&fresh), fresh.clocks()), (content.clone(), &vector), "what is on disk");
        // A browser that reads what is on disk, update by update.
        self.yjs.ask(json!(["make", 98, 98]));
        for update in std::mem::take(&mut self.served.stored) {
            self.apply(98, &update);
        }
        assert_eq!(self.content(98), content, "Yjs of what is on disk");
    }
}

#[test]
fn yrs_and_yjs_make_the_same_of_the_same_updates_and_the_walk_refuses_nothing_honest() {
    let mut dice = Dice::new("differential");
    let mut yjs = Yjs::start();
    for document in 0..DOCUMENTS[usize::from(is_long())] {
        let seed = dice.below(u64::MAX);
        println!("document {document}");
        let mut own = Dice::from(seed);
        let mut party = Party::begin(&mut yjs, seed);
        for _ in 0..20 + own.below(100) {
            party.step(&mut own);
        }
        party.end();
    }
}
