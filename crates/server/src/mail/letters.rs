//! What the letters say.

use scaledtest_effects::send_mail::Letter;

/// Longest name of a team in a subject line, characters.
const MAX_NAME: usize = 80;

/// Into a team.
pub(super) fn invitation(to: String, team: &str, role: &str, until: &str, link: &str) -> Letter {
    let team = one_line(team);
    let lines = [
        format!("you are invited to join the team \u{201c}{team}\u{201d} on ScaledTest as {role}."),
        format!("The link is good until {until}, and once."),
    ];
    letter(to, format!("Join {team} on ScaledTest"), &lines, "Accept the invitation", link)
}

/// To set a new password.
pub(super) fn reset_password(to: String, link: &str) -> Letter {
    let lines = [
        "somebody, hopefully you, asked for a new password for your account at ScaledTest.".to_owned(),
        "The link is good for one hour, and once. If it was not you, there is nothing to do: your password stays as it is."
            .to_owned(),
    ];
    letter(to, "Set a new password for ScaledTest".to_owned(), &lines, "Set a new password", link)
}

/// To prove an address.
pub(super) fn verify_email(to: String, link: &str) -> Letter {
    let lines = [
        "please confirm that this address is yours and that the account at ScaledTest is, too.".to_owned(),
        "The link is good for 24 hours, and once. If you have made no account, ignore this mail.".to_owned(),
    ];
    letter(to, "Confirm your address for ScaledTest".to_owned(), &lines, "Confirm the address", link)
}

fn letter(to: String, subject: String, lines: &[String], button: &str, link: &str) -> Letter {
    let text = format!("Hello,\n\n{}\n\n{button}:\n{link}\n", lines.join("\n\n"));
    let paragraphs: String = lines.iter().map(|line| format!("<p>{}</p>\n", escaped(line))).collect();
    let (button, link) = (escaped(button), escaped(link));
    let html = format!(
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>{}</title></head>\n\
         <body style=\"font-family: sans-serif; line-height: 1.5; color: #1f2937\">\n<p>Hello,</p>\n{paragraphs}\
         <p><a href=\"{link}\" style=\"display: inline-block; padding: 10px 16px; border-radius: 6px; \
         background: #1d4ed8; color: #ffffff; text-decoration: none\">{button}</a></p>\n\
         <p style=\"font-size: 13px\">Or open this address:<br>{link}</p>\n</body></html>\n",
        escaped(&subject)
    );
    Letter { to, subject, text, html }
}

/// A name that somebody typed, where only a line fits. Nothing in it is to become a link.
fn one_line(name: &str) -> String {
    let line: String = name.chars().map(|c| if c.is_control() { ' ' } else { c }).take(MAX_NAME).collect();
    line.trim().replace("://", ": //")
}

fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            c => escaped.push(c),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_teams_name_is_text_and_one_line_wherever_it_stands() {
        let name = "Ada's\r\nBcc: eve@example.com <b>team</b> http://evil.example";
        let letter = invitation("a@example.com".into(), name, "owner", "Friday", "https://t.example/invitations/inv_1");
        assert!(!letter.subject.contains(['\r', '\n']));
        assert!(letter.html.contains("Ada&#39;s") && letter.html.contains("&lt;b&gt;team&lt;/b&gt;"));
        assert!(!letter.html.contains("<b>") && !letter.text.contains("http://evil"));
        assert!(letter.text.contains("\nhttps://t.example/invitations/inv_1\n"));
        assert!(letter.html.contains("href=\"https://t.example/invitations/inv_1\""));
    }
}
