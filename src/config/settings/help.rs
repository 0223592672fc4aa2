//! What `--help` prints, and the table of settings in `docs/settings.md`: both from the rows that declare flags and settings.

use std::fmt::Write;

use crate::config::command_line::{COMMANDS, OPTIONS};
use crate::config::file::{DEFAULT_NAME, FILE_VARIABLE};
use crate::config::outbound::SSL_CERT_FILE;
use crate::config::settings;
use crate::config::settings::form::Form;

/// Variables that other programs read too, and that are no settings.
const OTHER_VARIABLES: [(&str, &str); 3] = [
    (SSL_CERT_FILE, "PEM file with more CAs that are trusted"),
    (
        "HTTPS_PROXY, HTTP_PROXY, ALL_PROXY",
        "http:// proxy to servers at https://, http://, either; in lower case too",
    ),
    (
        "NO_PROXY",
        "hosts, domains and networks that are reached without; this machine always is",
    ),
];

/// What `--help` prints.
pub fn help() -> String {
    let mut text =
        "mcp-rest: any MCP server as plain REST\n\nUsage: mcp-rest [FLAGS]\n\nFlags:\n".to_owned();
    let commands = COMMANDS.iter().map(|(_, flag, help)| (*flag, *help));
    for (flag, help) in OPTIONS.iter().copied().chain(commands) {
        push_row(&mut text, flag, help);
    }
    for setting in settings::all() {
        let Some(flag) = setting.flag else { continue };
        let value = match setting.form {
            Form::Switch => "",
            _ => " VALUE",
        };
        push_row(&mut text, &format!("--{flag}{value}"), setting.help);
    }
    text.push_str("\nEnvironment (overrides the file, and is overridden by flags):\n");
    let file = format!("the file to read where --config is not given [{DEFAULT_NAME}]");
    push_row(&mut text, FILE_VARIABLE, &file);
    for setting in settings::all() {
        let help = match setting.default {
            "" => setting.help.to_owned(),
            default => format!("{} [{default}]", setting.help),
        };
        push_row(&mut text, &setting.variables.join(", "), &help);
    }
    for (names, help) in OTHER_VARIABLES {
        push_row(&mut text, names, help);
    }
    text.push_str(
        "\nExit codes: 0 done, 1 any other failure, 2 configuration errors, 5 --connect found a server that does not answer as it should\n",
    );
    text
}

fn push_row(text: &mut String, name: &str, help: &str) {
    // Writing to a `String` cannot fail.
    let _ = writeln!(text, "  {name:<33} {help}");
}

/// The settings as the Markdown table of `docs/settings.md`.
pub fn settings_table() -> String {
    let mut text =
        "| `gateway.` | environment | flag | default | |\n|---|---|---|---|---|\n".to_owned();
    let code = |words: &str| match words {
        "" => String::new(),
        words => format!("`{words}`"),
    };
    for setting in settings::all() {
        let flag = setting.flag.map(|flag| format!("--{flag}"));
        // Writing to a `String` cannot fail.
        let _ = writeln!(
            text,
            "| `{}` | `{}` | {} | {} | {} |",
            setting.path,
            setting.variables.join("`, `"),
            code(&flag.unwrap_or_default()),
            code(setting.default),
            setting.help
        );
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn help_and_table_name_everything() {
        let (help, table) = (help(), settings_table());
        for setting in settings::all() {
            assert!(table.contains(&format!("| `{}` |", setting.path)));
            let flag = setting.flag.map(|flag| format!("--{flag}"));
            for name in setting.variables.iter().copied().chain(flag.as_deref()) {
                assert!(help.contains(name) && table.contains(name), "{name}");
            }
        }
        for flag in ["--config FILE", "--demo", "-h, --help", FILE_VARIABLE] {
            assert!(help.contains(flag), "{flag}");
        }
    }

    #[test]
    fn the_documents_hold_the_table() {
        let documents = include_str!("../../../docs/settings.md");
        let table = settings_table();
        assert!(
            documents.contains(&table),
            "put this into docs/settings.md:\n{table}"
        );
    }
}
