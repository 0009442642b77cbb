//! The log: one line per event, for people or as JSON, on standard error.
//!
//! The one invariant: a line is one line and inert. Whatever a stranger gets into a field, no control character,
//! line break or directional override reaches the terminal. What is logged are ids, never bodies, tokens or secrets;
//! that is kept where the events are written.

use crate::config::{ConfigError, LogFormat};
use std::{
    borrow::Cow,
    fmt::{self, Write as _},
    io::{self, IsTerminal, Write},
};
use tracing::Subscriber;
use tracing_subscriber::{
    EnvFilter,
    field::MakeExt,
    fmt::{MakeWriter, format},
};

/// The variable that says what is logged, in the directives of `tracing-subscriber` (`info,stoa::hub=debug`).
pub const FILTER: &str = "STOA_LOG";
/// Without it. The database driver logs every statement on `info`.
const FILTER_DEFAULT: &str = "info,sqlx=warn";

/// Starts the log of the process. A second call changes nothing.
pub fn init(log_format: LogFormat) -> Result<(), ConfigError> {
    let directives = std::env::var(FILTER).unwrap_or_default();
    let directives = if directives.trim().is_empty() { FILTER_DEFAULT } else { &directives };
    let filter = EnvFilter::builder()
        .parse(directives)
        .map_err(|e| ConfigError::new(FILTER, format!("`{directives}` is no filter: {e}")))?;
    let colours = io::stderr().is_terminal();
    // The only error is that there is a log already, as in tests.
    let _ = tracing::subscriber::set_global_default(subscriber(log_format, filter, colours, io::stderr));
    std::panic::set_hook(Box::new(log_panic));
    Ok(())
}

/// A panic is a line of the log like any other. Its words are told when they stand in the code; those that were put
/// together at run time may hold what somebody said.
fn log_panic(panic: &std::panic::PanicHookInfo<'_>) {
    let location = panic.location().map(ToString::to_string).unwrap_or_default();
    let words = panic.payload().downcast_ref::<&'static str>().copied().unwrap_or("(not told)");
    tracing::error!(location, words, thread = std::thread::current().name(), "panic");
}

fn subscriber<W>(
    log_format: LogFormat,
    filter: EnvFilter,
    colours: bool,
    writer: W,
) -> Box<dyn Subscriber + Send + Sync>
where
    W: for<'a> MakeWriter<'a> + Send + Sync + 'static,
{
    let builder = tracing_subscriber::fmt().with_env_filter(filter);
    match log_format {
        LogFormat::Human => {
            let fields = format::debug_fn(|writer, field, value| match field.name() {
                "message" => write!(Inert(writer), "{value:?}"),
                name => {
                    write!(writer, "{name}=")?;
                    write!(Inert(writer), "{value:?}")
                }
            });
            Box::new(builder.with_ansi(colours).fmt_fields(fields.delimited(" ")).with_writer(writer).finish())
        }
        LogFormat::Json => {
            let writer = InertJson(writer);
            Box::new(builder.json().flatten_event(true).with_ansi(false).with_writer(writer).finish())
        }
    }
}

/// Control characters, line and paragraph separators, and what turns the direction of a line around
/// (Unicode Standard Annex 9, section 2).
fn is_active(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{61C}' | '\u{200E}' | '\u{200F}' | '\u{2028}'..='\u{202E}' | '\u{2066}'..='\u{2069}')
}

/// Writes active characters as escapes.
struct Inert<'w, W>(&'w mut W);

impl<W: fmt::Write> fmt::Write for Inert<'_, W> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        text.chars().try_for_each(|c| match is_active(c) {
            true => write!(self.0, "{}", c.escape_default()),
            false => self.0.write_char(c),
        })
    }
}

/// Makes writers of JSON lines without active characters.
struct InertJson<W>(W);

impl<'a, W: MakeWriter<'a>> MakeWriter<'a> for InertJson<W> {
    type Writer = InertJsonWriter<W::Writer>;

    fn make_writer(&'a self) -> Self::Writer {
        InertJsonWriter(self.0.make_writer())
    }
}

/// JSON itself escapes what is below U+0020 in strings. The others occur in strings alone, so their escapes (RFC 8259,
/// section 7) may replace them in the finished line.
struct InertJsonWriter<W>(W);

impl<W: Write> Write for InertJsonWriter<W> {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        let text = String::from_utf8_lossy(line);
        let inert = if text.chars().any(|c| is_active(c) && c != '\n') { Cow::Owned(json_inert(&text)) } else { text };
        self.0.write_all(inert.as_bytes())?;
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

fn json_inert(text: &str) -> String {
    let mut inert = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        match is_active(c) && c != '\n' {
            // Every active character is in the basic plane, so four digits hold it.
            true => write!(inert, "\\u{:04x}", u32::from(c)).expect("strings take everything"),
            false => inert.push(c),
        }
    }
    inert
}

#[cfg(test)]
mod tests {
    use super::*;
    use parking_lot::Mutex;
    use std::sync::Arc;

    #[derive(Clone, Default)]
    struct Buffer(Arc<Mutex<Vec<u8>>>);

    impl Write for Buffer {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().extend_from_slice(bytes);
            Ok(bytes.len())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn logged(log_format: LogFormat, event: impl FnOnce()) -> String {
        let buffer = Buffer::default();
        let writer = buffer.clone();
        let filter = EnvFilter::new("info");
        tracing::subscriber::with_default(subscriber(log_format, filter, false, move || writer.clone()), event);
        let bytes = buffer.0.lock().clone();
        String::from_utf8(bytes).expect("UTF-8")
    }

    const HOSTILE: &str = "a\u{1b}[2J\u{9b}31m\r\nfake line\u{202e}txt\u{7f}\u{2028}";

    fn hostile_event() {
        tracing::info!(display = %HOSTILE, debug = ?HOSTILE, text = HOSTILE, "message {HOSTILE}");
    }

    #[test]
    fn a_line_for_people_is_one_inert_line() {
        let line = logged(LogFormat::Human, hostile_event);
        let line = line.strip_suffix('\n').expect("ends");
        assert!(!line.chars().any(is_active), "{line:?}");
        assert!(line.contains("INFO") && line.contains(r"message a\u{1b}[2J\u{9b}31m\r\nfake"), "{line}");
        assert!(line.contains(" display=a\\u{1b}"), "{line}");
    }

    #[test]
    fn a_line_of_json_is_one_inert_object_with_the_same_words() {
        let line = logged(LogFormat::Json, hostile_event);
        let line = line.strip_suffix('\n').expect("ends");
        assert!(!line.chars().any(is_active), "{line:?}");
        let object: serde_json::Value = serde_json::from_str(line).expect("JSON");
        assert_eq!(object["display"], HOSTILE);
        assert_eq!(object["message"], format!("message {HOSTILE}"));
    }

    #[test]
    fn the_filter_holds() {
        assert_eq!(logged(LogFormat::Human, || tracing::debug!("quiet")), "");
    }
}
