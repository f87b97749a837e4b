//! Answers: how each protocol wraps results and errors.

use bytes::Bytes;
use futures::stream;
use http::{HeaderValue, Response, StatusCode};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full, StreamBody};
use hyper::body::Frame;

use crate::error::ApiError;
use crate::xml::Xml;

pub(crate) type Body = UnsyncBoxBody<Bytes, std::io::Error>;

/// The wire protocol that a client spoke.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Protocol {
    Ec2,
    Sts,
    RestJson,
    Cbor,
    AwsJson,
    /// awsJson 1.1, which the price list service speaks.
    Pricing,
}

/// An answer before it is sent: small enough to be held in memory.
#[derive(Debug)]
pub(crate) struct Reply {
    pub status: u16,
    pub headers: Vec<(&'static str, String)>,
    pub body: Bytes,
}

impl Reply {
    pub fn new(status: u16, content_type: &str, body: impl Into<Bytes>) -> Self {
        Self { status, headers: vec![("content-type", content_type.to_owned())], body: body.into() }
    }

    pub fn json(status: u16, value: &serde_json::Value) -> Self {
        Self::new(status, "application/json", value.to_string())
    }

    pub fn with(mut self, name: &'static str, value: impl ToString) -> Self {
        self.headers.push((name, value.to_string()));
        self
    }

    /// `<ActionResponse xmlns=…><requestId>…</requestId>content</ActionResponse>`.
    pub fn ec2(action: &str, request_id: &str, content: Xml) -> Self {
        let mut x = Xml::document();
        x.raw(&format!("<{action}Response xmlns=\"http://ec2.amazonaws.com/doc/2016-11-15/\">"));
        x.el("requestId", request_id);
        x.raw(&content.into_string());
        x.raw(&format!("</{action}Response>"));
        Self::new(200, "text/xml;charset=UTF-8", x.into_string())
    }

    /// `<ActionResponse><ActionResult>content</ActionResult><ResponseMetadata>…`.
    pub fn sts(action: &str, request_id: &str, content: Xml) -> Self {
        let mut x = Xml::document();
        x.raw(&format!("<{action}Response xmlns=\"{STS}\">"));
        x.wrap(&format!("{action}Result"), |x| x.raw(&content.into_string()));
        x.wrap("ResponseMetadata", |x| x.el("RequestId", request_id));
        x.raw(&format!("</{action}Response>"));
        Self::new(200, "text/xml", x.into_string())
    }

    pub fn error(protocol: Protocol, request_id: &str, e: &ApiError) -> Self {
        match protocol {
            Protocol::Ec2 => {
                let mut x = Xml::document();
                x.wrap("Response", |x| {
                    x.wrap("Errors", |x| x.wrap("Error", |x| code_and_message(x, e)));
                    x.el("RequestID", request_id);
                });
                Self::new(e.status, "text/xml;charset=UTF-8", x.into_string())
            }
            Protocol::Sts => {
                let mut x = Xml::document();
                x.raw(&format!("<ErrorResponse xmlns=\"{STS}\">"));
                x.wrap("Error", |x| {
                    x.el("Type", if e.status < 500 { "Sender" } else { "Receiver" });
                    code_and_message(x, e);
                });
                x.el("RequestId", request_id);
                x.raw("</ErrorResponse>");
                Self::new(e.status, "text/xml", x.into_string())
            }
            Protocol::RestJson => {
                let mut body = serde_json::json!({ "Message": e.message });
                if let Some(reason) = &e.reason {
                    body["Reason"] = reason.as_ref().into();
                }
                Self::json(e.status, &body).with("x-amzn-errortype", &e.code)
            }
            Protocol::Cbor | Protocol::AwsJson => crate::cloudwatch::error(protocol, e),
            Protocol::Pricing => crate::prices::error(e),
        }
    }

    /// The whole answer.
    pub fn into_response(self, request_id: &str) -> Response<Body> {
        let Self { status, headers, body } = self;
        finish(status, headers, request_id, Full::new(body).map_err(|never| match never {}).boxed_unsync())
    }

    /// The answer's head, as if all were to come, and the first `after` bytes of its body. Then it breaks off.
    pub fn into_truncated(mut self, request_id: &str, after: usize) -> Response<Body> {
        self.headers.push(("content-length", self.body.len().to_string()));
        let first = self.body.slice(..after.min(self.body.len()));
        let broken = std::io::Error::new(std::io::ErrorKind::ConnectionAborted, "cut off on order");
        let frames = [Ok(Frame::data(first)), Err(broken)];
        finish(self.status, self.headers, request_id, BodyExt::boxed_unsync(StreamBody::new(stream::iter(frames))))
    }
}

const STS: &str = "https://sts.amazonaws.com/doc/2011-06-15/";

fn code_and_message(x: &mut Xml, e: &ApiError) {
    x.el("Code", &e.code);
    x.el("Message", &e.message);
}

/// An answer with what every answer of the sandbox carries.
pub(crate) fn finish(
    status: u16,
    headers: Vec<(&'static str, String)>,
    request_id: &str,
    body: Body,
) -> Response<Body> {
    let mut response = Response::new(body);
    *response.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let all = response.headers_mut();
    for (name, value) in headers {
        if let Ok(value) = HeaderValue::from_str(&value) {
            all.insert(name, value);
        }
    }
    all.insert("server", HeaderValue::from_static("novacron-sandbox"));
    all.insert("x-novacron-sandbox", HeaderValue::from_static("true"));
    if let Ok(id) = HeaderValue::from_str(request_id) {
        all.insert("x-amzn-requestid", id);
    }
    response
}
