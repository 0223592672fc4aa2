//! The command line: what to do, which file to read, and the settings that are given as flags, each value still as text.

pub(crate) mod given;

use std::{ffi::OsString, path::PathBuf};

use lexopt::Arg::{Long, Short};

use crate::config::errors::ConfigErrors;
use crate::config::nearest::nearest;
use crate::config::settings;
use crate::config::settings::form::{Form, Setting};

/// What the command line asks for. Of several, the one furthest down is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum Command {
    /// Serve.
    #[default]
    Run,
    /// Validate the configuration and exit.
    Check,
    /// The same, and ask every server.
    Connect,
    /// Ask a running service whether it is alive, and exit.
    Healthcheck,
    /// Print the help.
    Help,
    /// Print the version.
    Version,
}

/// The flags that make a command, as they are written, and their help.
pub(crate) const COMMANDS: &[(Command, &str, &str)] = &[
    (
        Command::Check,
        "--check",
        "validate the configuration and exit",
    ),
    (
        Command::Connect,
        "--connect",
        "with --check: ask every server too, one line each; exit code 5 if one does not answer as it should",
    ),
    (
        Command::Healthcheck,
        "--healthcheck",
        "ask the service that runs on this machine whether it is alive",
    ),
    (Command::Help, "-h, --help", "show this"),
    (Command::Version, "-V, --version", "show the version"),
];

/// The flags that are neither commands nor settings, and their help.
pub(crate) const OPTIONS: &[(&str, &str)] = &[
    (
        "--config FILE",
        "read this file instead of mcp.servers.json",
    ),
    ("--demo", "serve a small MCP server too, as `demo`"),
    (
        "--server NAME=URL",
        "serve this MCP server too, or instead of the file's one of that name; may be repeated",
    ),
    (
        "--header 'Name: value'",
        "send this header to the servers given by --server, with 'NAME=Name: value' to one of them; \
         '${TOKEN}' is expanded here, unseen by ps; may be repeated",
    ),
];

/// The command line, read.
#[derive(Default)]
pub(crate) struct CommandLine {
    pub(crate) command: Command,
    pub(crate) file: Option<PathBuf>,
    pub(crate) demo: bool,
    /// The values of `--server` and of `--header`, as they are written.
    pub(crate) servers: Vec<String>,
    pub(crate) headers: Vec<String>,
    pub(crate) settings: Vec<(&'static Setting, String)>,
}

impl CommandLine {
    pub(crate) fn read(args: impl Iterator<Item = OsString>, errors: &mut ConfigErrors) -> Self {
        let mut line = Self::default();
        let mut parser = lexopt::Parser::from_args(args);
        loop {
            match line.read_flag(&mut parser) {
                Ok(true) => {}
                Ok(false) => return line,
                Err(lexopt::Error::UnexpectedOption(flag)) => {
                    let fix = match nearest(&flag, flags()) {
                        Some(meant) => format!("did you mean --{meant}?"),
                        None => "see --help".to_owned(),
                    };
                    errors.add("command line", format!("unknown flag '{flag}'"), fix);
                }
                Err(error) => errors.add("command line", error.to_string(), "see --help"),
            }
        }
    }

    /// Reads one flag with its value; `false` at the end.
    fn read_flag(&mut self, parser: &mut lexopt::Parser) -> Result<bool, lexopt::Error> {
        let Some(arg) = parser.next()? else {
            return Ok(false);
        };
        let (flag, name) = match arg {
            Long(name) => (format!("--{name}"), name),
            Short(name) => (format!("-{name}"), ""),
            other @ lexopt::Arg::Value(_) => return Err(other.unexpected()),
        };
        let is_written = |written: &str| written.split(", ").any(|written| written == flag);
        let mut commands = COMMANDS.iter();
        if let Some((command, ..)) = commands.find(|(_, written, _)| is_written(written)) {
            self.command = self.command.max(*command);
        } else if flag == "--config" {
            self.file = Some(parser.value()?.into());
        } else if flag == "--demo" {
            self.demo = true;
        } else if flag == given::SERVER {
            self.servers.push(parser.value()?.into_string()?);
        } else if flag == given::HEADER {
            self.headers.push(parser.value()?.into_string()?);
        } else if let Some(setting) = settings::all().find(|row| row.flag == Some(name)) {
            let text = match setting.form {
                Form::Switch => "true".to_owned(),
                _ => parser.value()?.into_string()?,
            };
            self.settings.push((setting, text));
        } else {
            return Err(arg.unexpected());
        }
        Ok(true)
    }
}

/// The names of all flags, without their dashes, for suggestions.
fn flags() -> impl Iterator<Item = &'static str> {
    let settings = settings::all().filter_map(|setting| setting.flag);
    let commands = COMMANDS.iter().map(|(_, written, _)| *written);
    let written = commands.chain(OPTIONS.iter().map(|(written, _)| *written));
    let words = written.flat_map(|written| written.split([',', ' ']));
    words
        .filter_map(|word| word.strip_prefix("--"))
        .chain(settings)
}
