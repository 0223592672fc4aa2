//! The log on standard error: lines of text for people at a terminal, JSON lines for software.
//!
//! Level and format are settings; what is logged is decided by the caller of `log`. A thread writes the lines (`writer`), so that a
//! reader of standard error that stalls does not block a request.

pub mod banner;
mod json_line;
mod text_line;
mod texts;
mod writer;

use std::backtrace::{Backtrace, BacktraceStatus};
use std::io::{self, IsTerminal as _, Write};
use std::time::{Duration, SystemTime};
use std::{env, panic, thread};

use env_logger::Target;
use log::{Level, LevelFilter, Record};

use crate::config::settings::LogFormat;
use crate::logging::banner::Banner;
use crate::logging::texts::HTTP_LIBRARY;
use crate::logging::writer::{Buffer, BufferWriter};

/// How long the end of the process waits for a reader of standard error that stalls.
const FLUSH_TIMEOUT: Duration = Duration::from_secs(1);

static BUFFER: Buffer = Buffer::new();

/// Flushes the log when it is dropped.
#[derive(Debug)]
pub struct Log(Style);

/// How lines look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Style {
    Json,
    Text {
        /// Colours, as terminals understand them.
        coloured: bool,
    },
}

impl Style {
    fn of(format: LogFormat) -> Self {
        let is_terminal = io::stderr().is_terminal();
        match format {
            LogFormat::Json => Self::Json,
            LogFormat::Auto if !is_terminal => Self::Json,
            LogFormat::Auto | LogFormat::Text => Self::Text {
                coloured: is_terminal && may_colour(),
            },
        }
    }

    fn line(self, out: &mut impl Write, record: &Record<'_>) -> io::Result<()> {
        let now = SystemTime::now();
        match self {
            Self::Json => json_line::line(out, now, record),
            Self::Text { coloured } => text_line::line(out, now, record, coloured),
        }
    }
}

impl Log {
    /// Shows the banner where the log is text at a terminal.
    pub fn show(&self, banner: &Banner<'_>) {
        if let Style::Text { coloured } = self.0
            && io::stderr().is_terminal()
        {
            BUFFER.push(banner.text(coloured).as_bytes());
        }
    }
}

impl Drop for Log {
    fn drop(&mut self) {
        finish();
    }
}

/// Whether the person at the terminal wants colours (<https://no-color.org>) and the terminal has them.
fn may_colour() -> bool {
    let is_set = |name| env::var_os(name).is_some_and(|value| !value.is_empty());
    !is_set("NO_COLOR") && env::var_os("TERM").is_some_and(|terminal| terminal != "dumb")
}

/// Starts the logger; a second call in one process (tests) changes nothing.
///
/// One line per record. Of dependencies only `warn` and above is logged: what they log below that may hold headers.
pub fn init(level: LevelFilter, format: LogFormat) -> io::Result<Log> {
    let style = Style::of(format);
    let http_library = match level {
        LevelFilter::Debug | LevelFilter::Trace => LevelFilter::Warn,
        _ => LevelFilter::Off,
    };
    let started = env_logger::Builder::new()
        .filter_level(level.min(LevelFilter::Warn))
        .filter_module(HTTP_LIBRARY, http_library)
        .filter_module(env!("CARGO_CRATE_NAME"), level)
        .format(move |out, record| style.line(out, record))
        .target(Target::Pipe(Box::new(BufferWriter(&BUFFER))))
        .try_init();
    if started.is_ok() {
        panic::set_hook(Box::new(log_panic));
        thread::Builder::new().name("log".into()).spawn(move || {
            BUFFER.write_to(&mut io::stderr(), |out, lines| {
                write_dropped(style, out, lines);
            })
        })?;
    }
    Ok(Log(style))
}

/// Waits until every line is written, or for a second where the reader stalls. Returns whether all are written.
pub fn finish() -> bool {
    BUFFER.finish(FLUSH_TIMEOUT)
}

/// Lines that were dropped because the reader was too slow, or had closed standard error.
pub fn dropped_lines() -> u64 {
    BUFFER.dropped()
}

/// The time as RFC 3339 in UTC with milliseconds: `2026-11-20T21:40:19.123Z`. A clock before 1970 reads as 1970.
pub fn timestamp(now: SystemTime) -> String {
    texts::timestamp(now)
}

fn write_dropped(style: Style, out: &mut Vec<u8>, lines: u64) {
    let mut record = Record::builder();
    let key_values = [("dropped", lines)];
    record
        .level(Level::Warn)
        .target(module_path!())
        .key_values(&key_values);
    // Writing to a vector cannot fail.
    let _ = style.line(
        out,
        &record
            .args(format_args!(
                "{lines} lines were dropped: standard error is read too slowly"
            ))
            .build(),
    );
}

/// Replaces the hook of the standard library, which writes to stderr itself and would wait for its reader.
fn log_panic(panic: &panic::PanicHookInfo<'_>) {
    let trace = Backtrace::capture();
    if trace.status() == BacktraceStatus::Captured {
        log::error!("{panic}\n{trace}");
    } else {
        log::error!("{panic}");
    }
}
