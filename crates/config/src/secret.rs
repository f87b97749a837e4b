//! What may not be shown.

/// Stands for a secret wherever configuration is shown.
pub const HIDDEN: &str = "***";

/// A URL without the password that it may carry, in its authority or as a parameter. Other texts stay as they are.
pub(crate) fn mask_url(text: &str) -> String {
    let Some((scheme, rest)) = text.split_once("://") else {
        return text.to_owned();
    };
    // A password may hold any character, so it ends at the last `@`, wherever that is.
    let (user, rest) = match rest.rsplit_once('@') {
        Some((user, rest)) => (Some(user), rest),
        None => (None, rest),
    };
    let user = user.map(|user| match user.split_once(':') {
        Some((name, _)) => format!("{name}:{HIDDEN}@"),
        None => format!("{user}@"),
    });
    let (rest, query) = match rest.split_once('?') {
        Some((rest, query)) => (rest, Some(query)),
        None => (rest, None),
    };
    let query = query.map(|query| {
        let parts: Vec<String> = query
            .split('&')
            .map(|part| match part.split_once('=') {
                Some((name, _)) if sounds_secret(name) => format!("{name}={HIDDEN}"),
                _ => part.to_owned(),
            })
            .collect();
        format!("?{}", parts.join("&"))
    });
    format!("{scheme}://{}{rest}{}", user.unwrap_or_default(), query.unwrap_or_default())
}

fn sounds_secret(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    ["password", "passwd", "secret", "token", "key", "sig"].iter().any(|word| name.contains(word))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passwords_go_and_the_rest_stays() {
        for (text, shown) in [
            ("postgres://nova:p@ss/w:rd@db:5432/n?sslmode=require", "postgres://nova:***@db:5432/n?sslmode=require"),
            ("postgres://nova@db/n?password=x&a=1", "postgres://nova@db/n?password=***&a=1"),
            ("http://127.0.0.1:4566", "http://127.0.0.1:4566"),
            ("postgres://u:p?w@h/n", "postgres://u:***@h/n"),
            ("/var/lib", "/var/lib"),
        ] {
            assert_eq!(mask_url(text), shown);
        }
    }
}
