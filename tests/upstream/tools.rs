//! The tools that every scripted server has.

use serde_json::Value;

/// One tool: its definition as it stands in the list, and what a call of it gives.
#[derive(Debug, Clone, Copy)]
pub struct Tool {
    /// As in the definition.
    pub name: &'static str,
    /// JSON.
    pub definition: &'static str,
    /// Arguments with `x-mcp-header`, each with its header.
    pub mirrored: &'static [(&'static str, &'static str)],
    /// From the arguments to the `result`, as JSON.
    pub run: fn(&Value) -> String,
}

/// All of them.
pub const TOOLS: [Tool; 6] = [
    Tool {
        name: "echo",
        definition: r#"{"name":"echo","title":"Echo","description":"Says it again","inputSchema":{"type":"object","properties":{"message":{"type":"string"}},"required":["message"]},"annotations":{"readOnlyHint":true}}"#,
        mirrored: &[],
        run: echo,
    },
    Tool {
        name: "add",
        definition: r#"{"name":"add","inputSchema":{"type":"object","properties":{"a":{"type":"number"},"b":{"type":"number"}},"required":["a","b"]}}"#,
        mirrored: &[],
        run: |arguments| {
            let sum = number(arguments, "a") + number(arguments, "b");
            format!(
                r#"{{"content":[{{"type":"text","text":"{sum}"}}],"structuredContent":{{"sum":{sum}}}}}"#
            )
        },
    },
    Tool {
        name: "fail",
        definition: r#"{"name":"fail","inputSchema":{"type":"object"}}"#,
        mirrored: &[],
        run: |_| r#"{"content":[{"type":"text","text":"It failed"}],"isError":true}"#.to_owned(),
    },
    Tool {
        name: "a/b c",
        definition: r#"{"name":"a/b c","inputSchema":{"type":"object"}}"#,
        mirrored: &[],
        run: echo,
    },
    Tool {
        name: "grüße",
        definition: r#"{"name":"grüße","inputSchema":{"type":"object"}}"#,
        mirrored: &[],
        run: echo,
    },
    Tool {
        name: "deploy",
        definition: r#"{"name":"deploy","inputSchema":{"type":"object","properties":{"region":{"type":"string","x-mcp-header":"Region"},"count":{"type":"integer","x-mcp-header":"Count"},"dry":{"type":"boolean","x-mcp-header":"Dry"}}}}"#,
        mirrored: &[
            ("region", "Mcp-Param-Region"),
            ("count", "Mcp-Param-Count"),
            ("dry", "Mcp-Param-Dry"),
        ],
        run: echo,
    },
];

/// The tool of that name.
pub fn find(name: &str) -> Option<&'static Tool> {
    TOOLS.iter().find(|tool| tool.name == name)
}

/// The value of `tools` in a list of all of them.
pub fn list() -> String {
    let definitions: Vec<&str> = TOOLS.iter().map(|tool| tool.definition).collect();
    format!("[{}]", definitions.join(","))
}

fn echo(arguments: &Value) -> String {
    let text = Value::from(format!(
        "Echo: {}",
        arguments["message"].as_str().unwrap_or_default()
    ));
    format!(r#"{{"content":[{{"type":"text","text":{text}}}]}}"#)
}

fn number(arguments: &Value, name: &str) -> f64 {
    arguments[name].as_f64().unwrap_or_default()
}
