//! The demo server over real sockets, in both eras.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};

use actix_web::http::{Method, StatusCode};
use actix_web::rt;
use awc::{Client, ClientRequest};

use super::*;
use crate::demo::message::*;

struct Answer {
    status: u16,
    /// Of an event stream the messages in order, as an array.
    body: Value,
}

impl Answer {
    fn refusal(&self) -> (u16, Option<i64>) {
        (self.status, self.body["error"]["code"].as_i64())
    }

    fn result(&self) -> &Value {
        &self.body["result"]
    }
}

fn spawn() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}{PATH}", listener.local_addr().unwrap());
    rt::spawn(serve(listener).unwrap());
    url
}

fn post(url: &str) -> ClientRequest {
    let accept = "application/json, text/event-stream";
    let request = Client::default()
        .post(url)
        .insert_header((header::ACCEPT, accept));
    request.insert_header((header::CONTENT_TYPE, "application/json"))
}

async fn send(request: ClientRequest, body: impl Into<String>) -> Answer {
    let mut response = request.send_body(body.into()).await.unwrap();
    let status = response.status().as_u16();
    let text = String::from_utf8(response.body().await.unwrap().to_vec()).unwrap();
    let body = if response.content_type() == "text/event-stream" {
        let events = text.lines().filter_map(|line| line.strip_prefix("data: "));
        events
            .map(|data| serde_json::from_str::<Value>(data).unwrap())
            .collect()
    } else {
        serde_json::from_str(&text).unwrap_or(Value::String(text))
    };
    Answer { status, body }
}

/// Sends a correct request of that era.
async fn ask(url: &str, era: Era, method: &str, mut params: Value) -> Answer {
    let mut request = post(url);
    if era == Era::Modern {
        params["_meta"]["io.modelcontextprotocol/protocolVersion"] = json!(MODERN);
        params["_meta"]["io.modelcontextprotocol/clientCapabilities"] = json!({});
        let name = params["name"].as_str().or(params["uri"].as_str());
        let name = name.unwrap_or_default();
        let headers = [
            ("MCP-Protocol-Version", MODERN),
            ("Mcp-Method", method),
            ("Mcp-Name", name),
        ];
        request = headers
            .into_iter()
            .fold(request, ClientRequest::insert_header);
    }
    let body = json!({"jsonrpc": "2.0", "id": "a", "method": method, "params": params});
    send(request, body.to_string()).await
}

async fn call(url: &str, era: Era, tool: &str, arguments: Value) -> Value {
    let params = json!({"name": tool, "arguments": arguments});
    ask(url, era, "tools/call", params).await.result().clone()
}

#[actix_rt::test]
async fn the_modern_era_needs_no_handshake() {
    let url = spawn();
    let discovered = ask(&url, Era::Modern, "server/discover", json!({})).await;
    assert_eq!(discovered.result()["supportedVersions"], json!(VERSIONS));
    assert_eq!(discovered.result()["resultType"], "complete");
    for gone in ["initialize", "ping", "no/such"] {
        let answer = ask(&url, Era::Modern, gone, json!({})).await;
        assert_eq!(answer.refusal(), (404, Some(-32601)), "{gone}");
    }
}

#[actix_rt::test]
async fn the_legacy_era_negotiates_and_pings() {
    let url = spawn();
    for (offered, agreed) in [
        ("2025-03-26", "2025-03-26"),
        ("2025-11-25", "2025-11-25"),
        ("2024-11-05", "2025-11-25"),
        (MODERN, "2025-11-25"),
    ] {
        let params = json!({"protocolVersion": offered, "capabilities": {}});
        let answer = ask(&url, Era::Legacy, "initialize", params).await;
        assert_eq!(answer.result()["protocolVersion"], agreed);
    }
    let initialized = r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#;
    let accepted = send(post(&url), initialized).await;
    assert_eq!((accepted.status, accepted.body), (202, json!("")));
    let pong = ask(&url, Era::Legacy, "ping", json!({})).await;
    assert_eq!(
        pong.body,
        json!({"jsonrpc": "2.0", "id": "a", "result": {}})
    );
    let unknown = ask(&url, Era::Legacy, "server/discover", json!({})).await;
    assert_eq!(unknown.refusal(), (200, Some(-32601)));
}

#[actix_rt::test]
async fn every_listed_tool_exists_and_no_other() {
    let url = spawn();
    for era in [Era::Legacy, Era::Modern] {
        let listed = ask(&url, era, "tools/list", json!({})).await;
        assert_eq!(
            listed.result()["ttlMs"] == LISTS_LIVE_MS,
            era == Era::Modern
        );
        for tool in listed.result()["tools"].as_array().unwrap() {
            if tool["name"] == "introduce" && era == Era::Modern {
                let answer = ask(&url, era, "tools/call", json!({"name": "introduce"})).await;
                assert_eq!(answer.refusal(), (400, Some(-32021)));
                continue;
            }
            let no_argument_fits = json!({"message": 1, "to": 0});
            let result = call(&url, era, tool["name"].as_str().unwrap(), no_argument_fits).await;
            assert_eq!(result["isError"], true, "{tool}");
            assert_eq!(result["resultType"] == "complete", era == Era::Modern);
        }
        assert_eq!(call(&url, era, "pixel", json!({})).await["isError"], false);
        for (method, params) in [
            ("tools/list", json!({"cursor": ""})),
            ("tools/call", json!({"name": "no such"})),
            ("tools/call", json!({"name": "add", "arguments": [1, 2]})),
        ] {
            let answer = ask(&url, era, method, params).await;
            assert_eq!(answer.refusal(), (200, Some(-32602)), "{}", answer.body);
        }
    }
}

#[actix_rt::test]
async fn add_keeps_integers_integers() {
    let url = spawn();
    for era in [Era::Legacy, Era::Modern] {
        let result = call(&url, era, "add", json!({"a": 2, "b": 3})).await;
        assert_eq!(result["structuredContent"].to_string(), r#"{"sum":5}"#);
        assert_eq!(result["content"][0]["text"], r#"{"sum":5}"#);
        let result = call(&url, era, "add", json!({"a": 0.5, "b": -2})).await;
        assert_eq!(result["structuredContent"]["sum"], -1.5);
        let result = call(&url, era, "add", json!({"a": 1e308, "b": 1e308})).await;
        assert_eq!(result["content"][0]["text"], "The sum is out of range");
    }
}

#[actix_rt::test]
async fn echo_and_ids_keep_their_bytes() {
    let message = r#""\u00e9 é \/ \ud800""#;
    let body = format!(
        r#"{{"jsonrpc":"2.0","id":12345678901234567890123,"method":"tools/call","params":{{"name":"echo","arguments":{{"message":{message}}}}}}}"#
    );
    let mut response = post(&spawn()).send_body(body).await.unwrap();
    let expected = format!(
        r#"{{"jsonrpc":"2.0","id":12345678901234567890123,"result":{{"content":[{{"type":"text","text":{message}}}],"isError":false}}}}"#
    );
    assert_eq!(response.body().await.unwrap(), expected);
}

#[actix_rt::test]
async fn pixel_is_a_png() {
    let result = call(&spawn(), Era::Modern, "pixel", json!({})).await;
    let image = &result["content"][0];
    assert_eq!(
        (&image["type"], &image["mimeType"]),
        (&json!("image"), &json!("image/png"))
    );
    let png = BASE64_STANDARD
        .decode(image["data"].as_str().unwrap())
        .unwrap();
    assert!(png.starts_with(b"\x89PNG\r\n\x1a\n") && png.ends_with(b"IEND\xaeB`\x82"));
}

#[actix_rt::test]
async fn counting_reports_progress_to_who_asks() {
    let url = spawn();
    for era in [Era::Legacy, Era::Modern] {
        let mut params = json!({"name": "count_slowly", "arguments": {"to": 2, "delayMs": 0}});
        let silent = ask(&url, era, "tools/call", params.clone()).await.body;
        assert_eq!(silent[0]["result"]["content"][0]["text"], "Counted to 2");
        params["_meta"] = json!({"progressToken": 7});
        let events = ask(&url, era, "tools/call", params).await.body;
        let last = json!({"progressToken": 7, "progress": 2, "total": 2, "message": "2 of 2"});
        assert_eq!(events[0]["params"]["progress"], 1);
        assert_eq!(events[1]["params"], last);
        assert_eq!(events[2]["id"], "a");
    }
}

#[actix_rt::test]
async fn a_client_that_leaves_ends_the_counting() {
    let address = spawn().replace("http://", "").replace(PATH, "");
    let received = rt::task::spawn_blocking(move || {
        let body =
            r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"count_slowly"}}"#;
        let mut socket = TcpStream::connect(address).unwrap();
        write!(
            socket,
            "POST {PATH} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {}\r\n",
            body.len()
        )
        .unwrap();
        write!(socket, "Content-Type: application/json\r\nAccept: application/json, text/event-stream\r\n\r\n{body}").unwrap();
        let mut status_line = [0; 15];
        socket.read_exact(&mut status_line).unwrap();
        socket.shutdown(Shutdown::Write).unwrap();
        let mut rest = String::new();
        socket.read_to_string(&mut rest).unwrap();
        (status_line, rest)
    });
    let (status_line, rest) = received.await.unwrap();
    assert_eq!(&status_line, b"HTTP/1.1 200 OK");
    assert!(!rest.contains("Counted"), "{rest}");
}

#[actix_rt::test]
async fn refuses_what_http_forbids() {
    const PING: &str = r#"{"jsonrpc":"2.0","id":1,"method":"ping"}"#;
    let url = spawn();
    for (name, value, status) in [
        ("Host", "attacker.example", 403),
        ("Host", "127.0.0.1.attacker.example:80", 403),
        ("Origin", "https://attacker.example", 403),
        ("Origin", "null", 403),
        ("Accept", "application/json", 406),
        ("Accept", "*/*", 406),
        ("Content-Type", "text/plain", 415),
        ("Host", "LOCALHOST:1", 200),
        ("Host", "[::1]:8080", 200),
        ("Origin", "http://localhost:3000", 200),
        ("Accept", "text/event-stream;q=0.5,Application/JSON", 200),
        ("Content-Type", "application/json; charset=utf-8", 200),
    ] {
        let answer = send(post(&url).insert_header((name, value)), PING).await;
        assert_eq!(answer.status, status, "{name}: {value}");
    }
    for method in [Method::GET, Method::DELETE] {
        let response = Client::default()
            .request(method, &url)
            .send()
            .await
            .unwrap();
        assert_eq!(response.status(), StatusCode::METHOD_NOT_ALLOWED);
        assert_eq!(response.headers().get(header::ALLOW).unwrap(), "POST");
    }
    let oversize = " ".repeat(MAX_BODY_BYTES + 1);
    assert_eq!(send(post(&url), oversize).await.status, 413);
}

#[actix_rt::test]
async fn refuses_what_is_no_message() {
    let url = spawn();
    for (body, code) in [
        ("", -32700),
        ("{", -32700),
        (r#"{"jsonrpc":"2.0","id":1,"method":"ping"} x"#, -32700),
        (r#"[{"jsonrpc":"2.0","id":1,"method":"ping"}]"#, -32600),
        (r#"["2.0",1,"ping",{}]"#, -32600),
        (r#"{"jsonrpc":"1.0","id":1,"method":"ping"}"#, -32600),
        (r#"{"jsonrpc":"2.0","id":null,"method":"ping"}"#, -32600),
        (r#"{"jsonrpc":"2.0","id":1,"result":{}}"#, -32600),
        (
            r#"{"jsonrpc":"2.0","id":1,"method":"ping","params":[]}"#,
            -32602,
        ),
    ] {
        let answer = send(post(&url), body).await;
        assert_eq!(answer.refusal(), (400, Some(code)), "{body}");
    }
}

#[actix_rt::test]
async fn modern_headers_must_agree_with_the_body() {
    let url = spawn();
    for (version, in_meta, method, name, status, code) in [
        (
            MODERN,
            MODERN,
            "tools/call",
            "=?base64?ZmFpbA==?=",
            200,
            None,
        ),
        (MODERN, MODERN, "tools/call", "echo", 400, Some(-32020)),
        (
            MODERN,
            MODERN,
            "tools/call",
            "=?base64?!?=",
            400,
            Some(-32020),
        ),
        (MODERN, MODERN, "tools/call", "", 400, Some(-32020)),
        (MODERN, MODERN, "tools/list", "fail", 400, Some(-32020)),
        (MODERN, MODERN, "", "fail", 400, Some(-32020)),
        ("", MODERN, "tools/call", "fail", 400, Some(-32020)),
        (
            "2025-11-25",
            MODERN,
            "tools/call",
            "fail",
            400,
            Some(-32020),
        ),
        (MODERN, "", "tools/call", "fail", 400, Some(-32602)),
        (
            "2099-01-01",
            "2099-01-01",
            "tools/call",
            "fail",
            400,
            Some(-32022),
        ),
        ("2099-01-01", "", "", "", 400, Some(-32022)),
        ("2025-06-18", "", "", "", 200, None),
    ] {
        let headers = [
            ("MCP-Protocol-Version", version),
            ("Mcp-Method", method),
            ("Mcp-Name", name),
        ];
        let sent = headers.into_iter().filter(|(_, value)| !value.is_empty());
        let mut params =
            json!({"name": "fail", "_meta": {"io.modelcontextprotocol/clientCapabilities": {}}});
        if !in_meta.is_empty() {
            params["_meta"]["io.modelcontextprotocol/protocolVersion"] = json!(in_meta);
        }
        let body = json!({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params});
        let answer = send(
            sent.fold(post(&url), ClientRequest::insert_header),
            body.to_string(),
        )
        .await;
        assert_eq!(
            answer.refusal(),
            (status, code),
            "{headers:?}, _meta {in_meta}"
        );
        if code == Some(-32022) {
            let versions = json!({"supported": VERSIONS, "requested": version});
            assert_eq!(answer.body["error"]["data"], versions);
        }
    }
}

#[actix_rt::test]
async fn modern_requests_declare_their_capabilities() {
    let body = format!(
        r#"{{"jsonrpc":"2.0","id":1,"method":"server/discover","params":{{"_meta":{{"io.modelcontextprotocol/protocolVersion":"{MODERN}"}}}}}}"#
    );
    let request = post(&spawn()).insert_header(("MCP-Protocol-Version", MODERN));
    let request = request.insert_header(("Mcp-Method", "server/discover"));
    assert_eq!(send(request, body).await.refusal(), (400, Some(-32602)));
}

#[actix_rt::test]
async fn resources_are_listed_read_and_unknown_in_the_code_of_their_era() {
    let url = spawn();
    for (era, unknown) in [(Era::Legacy, -32002), (Era::Modern, -32602)] {
        let listed = ask(&url, era, "resources/list", json!({})).await;
        for resource in listed.result()["resources"].as_array().unwrap() {
            let uri = resource["uri"].clone();
            let read = ask(&url, era, "resources/read", json!({"uri": uri})).await;
            let content = &read.result()["contents"][0];
            assert_eq!(
                (&content["uri"], &content["mimeType"]),
                (&uri, &resource["mimeType"])
            );
        }
        let templates = ask(&url, era, "resources/templates/list", json!({})).await;
        let template = &templates.result()["resourceTemplates"][0]["uriTemplate"];
        let uri = template.as_str().unwrap().replace("{language}", "german");
        let read = ask(&url, era, "resources/read", json!({"uri": uri})).await;
        assert_eq!(read.result()["contents"][0]["text"], "Guten Tag");
        let nowhere = json!({"uri": "demo://greetings/klingon"});
        let refused = ask(&url, era, "resources/read", nowhere).await;
        assert_eq!(refused.refusal(), (200, Some(unknown)));
    }
}

#[actix_rt::test]
async fn the_prompt_is_filled_in_and_helps_to_complete() {
    let url = spawn();
    for era in [Era::Legacy, Era::Modern] {
        let listed = ask(&url, era, "prompts/list", json!({})).await;
        assert_eq!(listed.result()["prompts"][0]["name"], "greet");
        let filled = json!({"name": "greet", "arguments": {"name": "Ada", "language": "dutch"}});
        let filled = ask(&url, era, "prompts/get", filled).await;
        let text = &filled.result()["messages"][0]["content"]["text"];
        assert_eq!(text, "Greet Ada in dutch.");
        for wrong in [json!({"name": "no such"}), json!({"name": "greet"})] {
            let refused = ask(&url, era, "prompts/get", wrong).await;
            assert_eq!(refused.refusal(), (200, Some(-32602)));
        }
        for (reference, values) in [
            (
                json!({"type": "ref/prompt", "name": "greet"}),
                json!(["dutch"]),
            ),
            (
                json!({"type": "ref/resource", "uri": "demo://greetings/{language}"}),
                json!(["dutch"]),
            ),
        ] {
            let params = json!({"ref": reference, "argument": {"name": "language", "value": "d"}});
            let completed = ask(&url, era, "completion/complete", params).await;
            assert_eq!(completed.result()["completion"]["values"], values);
        }
    }
}
