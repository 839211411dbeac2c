//! The picture itself: two fields, flat, as badges look everywhere.

/// What the right field says by its color. White text is readable on each: at least 4.5 to 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Color {
    /// Good.
    Green,
    /// Bad.
    Red,
    /// Neither.
    Grey,
}

impl Color {
    fn hex(self) -> &'static str {
        match self {
            Self::Green => "#2a7a35",
            Self::Red => "#c0392b",
            Self::Grey => "#6b7280",
        }
    }
}

/// Draws it. Both texts may hold anything.
pub(super) fn draw(label: &str, text: &str, color: Color) -> String {
    let (left, right) = (width(label), width(text));
    let (whole, color) = (left + right, color.hex());
    let (label, text) = (escaped(label), escaped(text));
    let (label_at, text_at) = (left / 2, left + right / 2);
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{whole}\" height=\"20\" role=\"img\" aria-label=\"{label}: {text}\">\
         <title>{label}: {text}</title>\
         <clipPath id=\"r\"><rect width=\"{whole}\" height=\"20\" rx=\"3\"/></clipPath>\
         <g clip-path=\"url(#r)\"><rect width=\"{left}\" height=\"20\" fill=\"#444\"/>\
         <rect x=\"{left}\" width=\"{right}\" height=\"20\" fill=\"{color}\"/></g>\
         <g fill=\"#fff\" text-anchor=\"middle\" font-family=\"Verdana,DejaVu Sans,Geneva,sans-serif\" font-size=\"11\">\
         <text x=\"{label_at}\" y=\"14\" textLength=\"{}\">{label}</text>\
         <text x=\"{text_at}\" y=\"14\" textLength=\"{}\">{text}</text></g></svg>",
        left - 12,
        right - 12,
    )
}

/// Of a field in pixels: about seven for a letter, fewer for thin ones, and six on both sides. The text is set to fit.
fn width(text: &str) -> usize {
    let letter = |letter| if matches!(letter, ' ' | ',' | '.' | 'i' | 'l' | 't' | 'f' | 'r') { 4 } else { 7 };
    text.chars().map(letter).sum::<usize>() + 12
}

fn escaped(text: &str) -> String {
    text.chars().fold(String::new(), |mut escaped, letter| {
        match letter {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            letter if letter.is_control() => escaped.push('\u{fffd}'),
            letter => escaped.push(letter),
        }
        escaped
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_is_written_becomes_markup() {
        let svg = draw("<script>", "a\"&\u{0}b", Color::Grey);
        assert!(svg.contains("&lt;script&gt;: a&quot;&amp;\u{fffd}b"), "{svg}");
        assert!(!svg.contains("<script"), "{svg}");
    }
}
