//! Reads what comes in, and says what is wrong with it: which field, and which one was probably meant.

use std::str::FromStr;

use axum::{
    extract::{FromRequest, FromRequestParts, Request},
    http::{HeaderMap, StatusCode, header, request::Parts},
};
use bytes::Bytes;
use novacron_types::{in_words, nearest};
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use crate::{
    problem::{Failure, Result},
    unique::Unique,
};

/// The largest body of a request.
pub const MAX_BODY: usize = 64 * 1024;

/// A JSON body.
pub struct Body<T>(pub T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for Body<T> {
    type Rejection = Failure;

    async fn from_request(request: Request, state: &S) -> Result<Self> {
        let is_json = is_json(request.headers());
        let bytes = Bytes::from_request(request, state).await.map_err(|error| Failure::of_status(error.status()))?;
        if !is_json {
            return Err(Failure::of_status(StatusCode::UNSUPPORTED_MEDIA_TYPE));
        }
        json(&bytes).map(Self)
    }
}

/// For a request that needs no body: there is none, or a JSON object whose fields don't matter.
pub struct NoBody;

impl<S: Send + Sync> FromRequest<S> for NoBody {
    type Rejection = Failure;

    async fn from_request(request: Request, state: &S) -> Result<Self> {
        let is_json = is_json(request.headers());
        let bytes = Bytes::from_request(request, state).await.map_err(|error| Failure::of_status(error.status()))?;
        if bytes.is_empty() {
            return Ok(Self);
        }
        if !is_json {
            return Err(Failure::of_status(StatusCode::UNSUPPORTED_MEDIA_TYPE));
        }
        json::<Map<String, Value>>(&bytes).map(|_| Self)
    }
}

fn is_json(headers: &HeaderMap) -> bool {
    let value = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let kind = value.split(';').next().unwrap_or_default().trim();
    kind.eq_ignore_ascii_case("application/json")
}

fn json<T: DeserializeOwned>(bytes: &[u8]) -> Result<T> {
    let Unique(mut value) = serde_json::from_slice(bytes)
        .map_err(|error| Failure::bad_request("invalid_json", format!("the body is not JSON: {error}")))?;
    // Serde would take a list for a struct's fields in their order.
    if !value.is_object() {
        let message = format!("the body must be a JSON object, not {}", sort(&value));
        return Err(Failure::bad_request("invalid_json", message)
            .advice("Write `{\"field\": …}`; `GET /api/docs` shows the form of the body."));
    }
    make_whole(&mut value);
    serde_path_to_error::deserialize(value).map_err(|error| {
        let path = error.path().to_string();
        let message = in_words(&error.into_inner().to_string());
        let place = if path == "." { String::new() } else { format!("`{path}`: ") };
        let failure = Failure::new(StatusCode::UNPROCESSABLE_ENTITY, "invalid_body", format!("{place}{message}"));
        match nearest_field(&message) {
            Some(near) => failure.advice(format!("Did you mean `{near}`?")),
            None => failure.advice("`GET /api/docs` shows the form of the body."),
        }
    })
}

fn sort(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "true or false",
        Value::Number(_) => "a number",
        Value::String(_) => "a text",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}

/// To JSON there is one sort of number, and some clients write 5 as 5.0.
fn make_whole(value: &mut Value) {
    const EXACT: f64 = 9_007_199_254_740_992.0;
    match value {
        Value::Number(number) => {
            if let Some(float) = number.as_f64().filter(|_| number.is_f64())
                && float.fract() == 0.0
                && float.abs() < EXACT
            {
                *value = Value::from(float as i64);
            }
        }
        Value::Array(list) => list.iter_mut().for_each(make_whole),
        Value::Object(map) => map.values_mut().for_each(make_whole),
        _ => {}
    }
}

/// Of serde's "unknown field `x`, expected one of `a`, `b`" the one that was probably meant.
fn nearest_field(message: &str) -> Option<&str> {
    let mut quoted = message.strip_prefix("unknown field")?.split('`').skip(1).step_by(2);
    let wrong = quoted.next()?;
    nearest(wrong, quoted)
}

/// The parameters of the query. A handler takes those that it knows and then says [`Params::end`].
pub struct Params(Vec<(String, String)>, Vec<&'static str>);

impl<S: Send + Sync> FromRequestParts<S> for Params {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self> {
        let query = parts.uri.query().unwrap_or_default();
        Ok(Self(form_urlencoded::parse(query.as_bytes()).into_owned().collect(), Vec::new()))
    }
}

impl Params {
    pub fn all(&mut self, name: &'static str) -> Vec<String> {
        self.1.push(name);
        let mut values = Vec::new();
        self.0.retain_mut(|(key, value)| {
            let take = key == name;
            if take {
                values.push(std::mem::take(value));
            }
            !take
        });
        values
    }

    /// At most one value.
    pub fn one<T: FromStr<Err: std::fmt::Display>>(&mut self, name: &'static str) -> Result<Option<T>> {
        let mut values = self.all(name).into_iter();
        match (values.next(), values.next()) {
            (None, _) => Ok(None),
            (Some(value), None) => value.parse().map(Some).map_err(|error| invalid(name, &error)),
            _ => Err(Failure::bad_request("invalid_parameter", format!("`{name}` is given more than once"))),
        }
    }

    pub fn number(&mut self, name: &'static str, range: std::ops::RangeInclusive<u32>) -> Result<Option<u32>> {
        let number = self.one::<u32>(name)?;
        match number {
            Some(number) if !range.contains(&number) => {
                let (low, high) = range.into_inner();
                Err(Failure::bad_request(
                    "invalid_parameter",
                    format!("`{name}` is from {low} to {high}, not {number}"),
                ))
            }
            number => Ok(number),
        }
    }

    /// Of at most 255 characters.
    pub fn text(&mut self, name: &'static str) -> Result<Option<String>> {
        let text = self.one::<String>(name)?;
        match &text {
            Some(text) if text.chars().count() > 255 => {
                Err(Failure::bad_request("invalid_parameter", format!("`{name}` has more than 255 characters")))
            }
            _ => Ok(text),
        }
    }

    pub fn flag(&mut self, name: &'static str) -> Result<bool> {
        Ok(self.one::<bool>(name)?.unwrap_or_default())
    }

    /// Several, each given by itself or all with commas.
    pub fn list<T: FromStr<Err: std::fmt::Display>>(&mut self, name: &'static str) -> Result<Vec<T>> {
        let values = self.all(name);
        let parts = values.iter().flat_map(|value| value.split(','));
        parts.map(|part| part.parse().map_err(|error| invalid(name, &error))).collect()
    }

    /// Those whose name begins so, without that beginning.
    pub fn prefixed(&mut self, prefix: &'static str) -> Vec<(String, String)> {
        self.1.push(prefix);
        let mut found = Vec::new();
        self.0.retain_mut(|(key, value)| match key.strip_prefix(prefix) {
            Some(rest) => {
                found.push((rest.to_owned(), std::mem::take(value)));
                false
            }
            None => true,
        });
        found
    }

    /// Refuses what nobody took.
    pub fn end(self) -> Result<()> {
        let Some((name, _)) = self.0.first() else { return Ok(()) };
        let shown: String = name.chars().take(60).collect();
        let failure = Failure::bad_request("unknown_parameter", format!("there is no parameter `{shown}` here"));
        Err(match nearest(name, self.1.iter().copied()) {
            Some(near) => failure.advice(format!("Did you mean `{near}`?")),
            None if self.1.is_empty() => failure.advice("This request takes none."),
            None => failure.advice(format!("There are: {}.", self.1.join(", "))),
        })
    }
}

fn invalid(name: &str, error: &impl std::fmt::Display) -> Failure {
    Failure::bad_request("invalid_parameter", format!("`{name}`: {error}"))
}

/// The `Idempotency-Key`, if there is one.
pub fn idempotency_key(headers: &HeaderMap) -> Result<Option<String>> {
    let mut values = headers.get_all("idempotency-key").iter();
    let Some(value) = values.next() else { return Ok(None) };
    let visible = |text: &&str| (1..=255).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic());
    let text = value.to_str().ok().filter(visible);
    match (text, values.next()) {
        (Some(text), None) => Ok(Some(text.to_owned())),
        _ => Err(Failure::bad_request(
            "invalid_idempotency_key",
            "an `Idempotency-Key` is one value of 1 to 255 visible ASCII characters",
        )),
    }
}

#[cfg(test)]
mod tests {
    use novacron_types::ImportRequest;

    use super::*;

    #[test]
    fn bodies_say_what_is_wrong() {
        let fail = |text: &str| json::<ImportRequest>(text.as_bytes()).unwrap_err();
        assert_eq!(fail("{").code, "invalid_json");
        let many = json::<novacron_types::placement::PlacementRequest>(b"{\"required_cpu\": 1.5}").unwrap_err();
        assert_eq!(
            many.detail,
            "`required_cpu`: invalid type: floating point `1.5`, expected a whole number from 0 to 4294967295"
        );
        let odd = b"{\"constraints\": [{\"type\": \"region\", \"operator\": \"in\", \"values\": [null]}]}";
        let odd = json::<novacron_types::placement::PlacementRequest>(odd).unwrap_err();
        assert_eq!(odd.detail, "`constraints[0].values[0]`: expected a text, a number, true or false");
        assert_eq!(fail("{\"instance_id\": \"i\"} x").code, "invalid_json");
        for twice in
            ["{\"instance_id\": \"i\", \"instance_id\": \"j\"}", "{\"options\": {\"x\": [{\"a\": 1, \"\\u0061\": 1}]}}"]
        {
            let refused = fail(twice);
            assert_eq!((refused.status.as_u16(), refused.code.as_ref()), (400, "invalid_json"), "{twice}");
            assert!(refused.detail.contains("twice, at line 1 column"), "{}", refused.detail);
        }
        let typo = fail("{\"instence_id\": \"i\"}");
        assert_eq!((typo.status.as_u16(), typo.advice.as_deref()), (422, Some("Did you mean `instance_id`?")));
        assert!(fail("{\"instance_id\": 7}").detail.starts_with("`instance_id`: "));
        assert!(fail("{\"instance_id\": \"a b\"}").detail.contains("white space"));
        for (body, sort) in
            [("[\"i\", null, null, {}]", "a list"), ("[]", "a list"), ("7", "a number"), ("null", "null")]
        {
            let refused = fail(body);
            assert_eq!((refused.status.as_u16(), refused.code.as_ref()), (400, "invalid_json"), "{body}");
            assert!(refused.detail.contains("must be a JSON object") && refused.detail.ends_with(sort), "{body}");
        }
        let floats = "{\"instance_id\": \"i\", \"options\": {\"timeout\": 60.0, \"x\": [1.5, -2e0]}}";
        let request: ImportRequest = json(floats.as_bytes()).unwrap();
        assert_eq!(Value::Object(request.options).to_string(), "{\"timeout\":60,\"x\":[1.5,-2]}");
    }

    #[tokio::test]
    async fn parameters_are_all_known() {
        let read = |query: &str| {
            let request = Request::builder().uri(format!("/x?{query}")).body(()).unwrap();
            let mut parts = request.into_parts().0;
            futures::executor::block_on(Params::from_request_parts(&mut parts, &())).unwrap()
        };
        let mut params = read("limit=5&status=held,failed&status=pending&filter.tag%3AOwner=a%20b");
        assert_eq!(params.number("limit", 1..=500).unwrap(), Some(5));
        assert_eq!(params.list::<novacron_types::Status>("status").unwrap().len(), 3);
        assert_eq!(params.prefixed("filter."), [("tag:Owner".to_owned(), "a b".to_owned())]);
        params.end().unwrap();

        let mut params = read("limti=5");
        assert_eq!(params.number("limit", 1..=500).unwrap(), None);
        assert_eq!(params.end().unwrap_err().advice.as_deref(), Some("Did you mean `limit`?"));
        assert!(read("limit=0").number("limit", 1..=500).is_err());
        assert!(read("limit=1&limit=2").number("limit", 1..=500).is_err());
        assert!(read("limit=x").number("limit", 1..=500).is_err());
        assert!(read("status=").list::<novacron_types::Status>("status").is_err());
        assert!(read("status=odd").list::<novacron_types::Status>("status").is_err());
    }
}
