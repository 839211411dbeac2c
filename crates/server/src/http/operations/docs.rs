//! The API's reference as one page without scripts, written from the OpenAPI document.

use crate::http::openapi::openapi_json;
use serde_json::Value;
use std::{
    fmt::{self, Write},
    sync::OnceLock,
};

const STYLE: &str = include_str!("docs.css");

/// The page.
pub(super) fn page() -> &'static str {
    static PAGE: OnceLock<String> = OnceLock::new();
    PAGE.get_or_init(|| {
        let document: Value = serde_json::from_str(openapi_json()).unwrap_or_default();
        let mut page = String::new();
        // Writing into a String cannot fail.
        let _ = write_page(&mut page, &document);
        page
    })
}

/// Text with what HTML would take for markup replaced.
struct Text<'a>(&'a str);

impl fmt::Display for Text<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for c in self.0.chars() {
            match c {
                '<' => f.write_str("&lt;")?,
                '>' => f.write_str("&gt;")?,
                '&' => f.write_str("&amp;")?,
                '"' => f.write_str("&quot;")?,
                c => f.write_char(c)?,
            }
        }
        Ok(())
    }
}

fn text<'a>(value: &'a Value, name: &str) -> Text<'a> {
    Text(value[name].as_str().unwrap_or_default())
}

fn entries(value: &Value) -> impl Iterator<Item = (&String, &Value)> {
    value.as_object().into_iter().flatten()
}

fn write_page(page: &mut String, document: &Value) -> fmt::Result {
    let title = text(&document["info"], "title");
    write!(
        page,
        "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" \
         content=\"width=device-width, initial-scale=1\"><title>{title}</title><style>{STYLE}</style></head><body>\
         <header><h1>{title}</h1><p>{}</p><p><a href=\"/api/v1/openapi.json\">openapi.json</a> \
         (OpenAPI {})</p></header><main>",
        text(&document["info"], "description"),
        text(document, "openapi"),
    )?;
    for tag in tags(document) {
        write!(page, "<h2 id=\"{0}\">{0}</h2>", Text(&tag))?;
        for (path, item) in entries(&document["paths"]) {
            for (method, operation) in entries(item).filter(|(_, operation)| operation["tags"][0] == tag.as_str()) {
                write_operation(page, path, method, operation)?;
            }
        }
    }
    page.push_str("<h2 id=\"schemas\">schemas</h2>");
    for (name, schema) in entries(&document["components"]["schemas"]) {
        write!(page, "<details id=\"schema-{0}\"><summary><code>{0}</code></summary>", Text(name))?;
        write!(page, "<p>{}</p>", text(schema, "description"))?;
        if schema["enum"].is_array() {
            write!(page, "<p>{}</p>", kind(schema))?;
        }
        write_fields(page, schema)?;
        page.push_str("</details>");
    }
    page.push_str("</main></body></html>\n");
    Ok(())
}

/// Every tag that an operation carries, each once, in the order of the paths.
fn tags(document: &Value) -> Vec<String> {
    let mut tags: Vec<String> = Vec::new();
    for (_, item) in entries(&document["paths"]) {
        for (_, operation) in entries(item) {
            let tag = operation["tags"][0].as_str().unwrap_or_default();
            if !tag.is_empty() && !tags.iter().any(|known| known == tag) {
                tags.push(tag.to_owned());
            }
        }
    }
    tags
}

fn write_operation(page: &mut String, path: &str, method: &str, operation: &Value) -> fmt::Result {
    let public = operation["security"].as_array().is_some_and(Vec::is_empty);
    write!(
        page,
        "<details id=\"{}\"><summary><b class=\"{method}\">{}</b> <code>{}</code> <span>{}</span>{}</summary>",
        text(operation, "operationId"),
        method.to_ascii_uppercase(),
        Text(path),
        text(operation, "summary"),
        if public { " <i>public</i>" } else { "" },
    )?;
    write!(page, "<p>{}</p>", text(operation, "description"))?;
    let parameters = operation["parameters"].as_array();
    if let Some(parameters) = parameters.filter(|parameters| !parameters.is_empty()) {
        page.push_str("<h3>Parameters</h3><dl>");
        for parameter in parameters {
            write!(
                page,
                "<dt><code>{}</code> {} {}</dt><dd>{}</dd>",
                text(parameter, "name"),
                text(parameter, "in"),
                kind(&parameter["schema"]),
                text(parameter, "description"),
            )?;
        }
        page.push_str("</dl>");
    }
    for (media, content) in entries(&operation["requestBody"]["content"]) {
        write!(page, "<h3>Body</h3><p>{} {}</p>", Text(media), kind(&content["schema"]))?;
    }
    page.push_str("<h3>Answers</h3><dl>");
    for (status, response) in entries(&operation["responses"]) {
        let schema = entries(&response["content"]).map(|(_, content)| kind(&content["schema"])).next();
        let schema = schema.unwrap_or_default();
        write!(page, "<dt>{} {schema}</dt><dd>{}</dd>", Text(status), text(response, "description"))?;
    }
    page.push_str("</dl></details>");
    Ok(())
}

fn write_fields(page: &mut String, schema: &Value) -> fmt::Result {
    page.push_str("<dl>");
    let required = schema["required"].as_array();
    for (name, field) in entries(&schema["properties"]) {
        let optional = !required.is_some_and(|required| required.iter().any(|word| word == name.as_str()));
        let optional = if optional { " optional" } else { "" };
        write!(page, "<dt><code>{}</code> {}{optional}</dt>", Text(name), kind(field))?;
        write!(page, "<dd>{}</dd>", text(field, "description"))?;
    }
    page.push_str("</dl>");
    Ok(())
}

/// A schema in a word or a link, as HTML.
fn kind(schema: &Value) -> String {
    if let Some(name) = schema["$ref"].as_str().and_then(|path| path.rsplit('/').next()) {
        return format!("<a href=\"#schema-{0}\">{0}</a>", Text(name));
    }
    for choice in ["oneOf", "anyOf", "allOf"] {
        if let Some(options) = schema[choice].as_array() {
            return options.iter().map(kind).collect::<Vec<_>>().join(" or ");
        }
    }
    if let Some(words) = schema["enum"].as_array() {
        let words = words.iter().filter_map(Value::as_str).map(|word| format!("<code>{}</code>", Text(word)));
        return words.collect::<Vec<_>>().join(" or ");
    }
    let word = match &schema["type"] {
        Value::String(word) if word == "array" => return format!("list of {}", kind(&schema["items"])),
        Value::String(word) => word.clone(),
        Value::Array(words) => words.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(" or "),
        _ => String::new(),
    };
    let format = schema["format"].as_str().map(|format| format!(" ({format})")).unwrap_or_default();
    Text(&format!("{word}{format}")).to_string()
}
