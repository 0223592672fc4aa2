//! Start-up: reads the configuration, starts the logger, listens, runs, and turns the outcome into an exit code.

use std::io::{self, Write};
use std::net::{Ipv4Addr, TcpListener};
use std::process::ExitCode;
use std::time::Duration;

use awc::http::Uri;
use futures::StreamExt as _;
use mcp_rest::app::Application;
use mcp_rest::config::command_line::Command;
use mcp_rest::config::errors::ConfigErrors;
use mcp_rest::config::servers::Server;
use mcp_rest::config::settings::{Settings, help};
use mcp_rest::config::start::{self, DEMO, Start};
use mcp_rest::connect::{Asked, Connect};
use mcp_rest::logging::banner::Banner;
use mcp_rest::logging::{self, Log};
use mcp_rest::{demo, descriptors};

/// The exit code for configuration errors.
const CONFIG_ERROR: u8 = 2;
/// The exit code of `--check --connect` if a server does not answer as it should.
const SERVER_FAILED: u8 = 5;
/// How long `--healthcheck` waits.
const HEALTHCHECK_TIMEOUT: Duration = Duration::from_secs(3);

fn main() -> ExitCode {
    let arguments = std::env::args_os().skip(1);
    let start = match start::read(arguments, &start::process_environment()) {
        Ok(start) => start,
        Err(errors) => return refuse(&errors),
    };
    let outcome = match start.command {
        Command::Help => say(&help::help()),
        Command::Version => say(concat!(
            env!("CARGO_PKG_NAME"),
            " ",
            env!("CARGO_PKG_VERSION"),
            "\n"
        )),
        Command::Check => check(&start),
        Command::Connect => match check(&start).and_then(|()| connect(&start)) {
            Ok(true) => Ok(()),
            Ok(false) => return ExitCode::from(SERVER_FAILED),
            Err(error) => Err(error),
        },
        Command::Healthcheck => actix_rt::System::new().block_on(healthcheck(&start.settings)),
        Command::Run => logging::init(start.settings.log_level, start.settings.log_format)
            .and_then(|log| {
                descriptors::raise_limit();
                let system = actix_rt::System::new();
                let outcome = system.block_on(run(start, &log));
                // Its destructor would wait for DNS look-ups that are in flight.
                std::mem::forget(system);
                outcome
            }),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // The writer of the log holds standard error while the reader of that stalls.
            if logging::finish() {
                complain(&error.to_string());
            }
            ExitCode::FAILURE
        }
    }
}

async fn run(mut start: Start, log: &Log) -> io::Result<()> {
    for warning in &start.warnings {
        log::warn!("{warning}");
    }
    if start.demo {
        start.servers.push(start_demo(&start.settings)?);
    }
    let listener = listen(&start.settings)?;
    let address = listener.local_addr()?;
    let banner = Banner {
        address,
        servers: start
            .servers
            .iter()
            .map(|server| server.name.as_str())
            .collect(),
        keys: !start.settings.keys.is_empty(),
    };
    log.show(&banner);
    let address = address.to_string();
    let application =
        Application::build(listener, start.settings, &start.servers, &start.outbound)?;
    log::info!(address = address.as_str(); "listening on http://{address}");
    application.run().await?;
    log::info!("stopped");
    Ok(())
}

/// Opens the port. An error names the port.
fn listen(settings: &Settings) -> io::Result<TcpListener> {
    let address = (settings.host, settings.port);
    TcpListener::bind(address).map_err(|error| {
        let (host, port) = address;
        let cause = match error.kind() {
            io::ErrorKind::AddrInUse => format!(
                "port {port} of {host} is in use, perhaps by another mcp-rest: end that, or choose another with --port (0 picks a free one)"
            ),
            _ => format!("cannot listen on {host} port {port}: {error}"),
        };
        io::Error::new(error.kind(), cause)
    })
}

/// Starts the demo server on a free loopback port.
fn start_demo(settings: &Settings) -> io::Result<Server> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    let url = format!("http://{}{}", listener.local_addr()?, demo::PATH);
    let url: Uri = url.parse().map_err(io::Error::other)?;
    actix_rt::spawn(demo::serve(listener)?);
    Ok(Server {
        result: settings.result,
        tool_errors: settings.tool_errors,
        argument_checks: settings.argument_checks,
        ..Server::http(DEMO, url)
    })
}

fn check(start: &Start) -> io::Result<()> {
    for warning in &start.warnings {
        complain(&format!("warning: {warning}"));
    }
    say(&format!(
        "The configuration is valid: {} server(s)\n",
        start.servers.len()
    ))
}

/// Asks every server; whether all of them answer as they should.
fn connect(start: &Start) -> io::Result<bool> {
    let system = actix_rt::System::new();
    let outcome = system.block_on(async {
        let connect = Connect::new(start)?;
        let mut all_are_up = true;
        let mut asked = connect.ask();
        while let Some(Asked { is_up, line }) = asked.next().await {
            all_are_up &= is_up;
            say(&format!("{line}\n"))?;
        }
        drop(asked);
        connect.finish().await;
        Ok(all_are_up)
    });
    // Its destructor would wait for DNS look-ups that are in flight.
    std::mem::forget(system);
    outcome
}

async fn healthcheck(settings: &Settings) -> io::Result<()> {
    let request = awc::Client::builder()
        .timeout(HEALTHCHECK_TIMEOUT)
        .finish()
        .get(settings.healthcheck_url());
    let response = request
        .send()
        .await
        .map_err(|error| io::Error::other(format!("the service does not answer: {error}")))?;
    if response.status().is_success() {
        return Ok(());
    }
    Err(io::Error::other(format!(
        "the service answers {}",
        response.status()
    )))
}

fn refuse(errors: &ConfigErrors) -> ExitCode {
    complain(errors.to_string().trim_end());
    ExitCode::from(CONFIG_ERROR)
}

fn say(text: &str) -> io::Result<()> {
    io::stdout().lock().write_all(text.as_bytes())
}

/// Writes to standard error. Where that is closed too, the text is lost.
fn complain(text: &str) {
    let _ = writeln!(io::stderr().lock(), "{text}");
}
