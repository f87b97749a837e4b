//! A small client for the tests: one signed request a connection.

use std::io;

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

use crate::blocks::sha256;
use crate::sigv4::sign;
use crate::{Credentials, Sandbox};

pub(crate) struct Client {
    address: String,
    key: Credentials,
    pub region: &'static str,
}

/// What came back; an error where the answer was no whole one.
pub(crate) type Answer = io::Result<(u16, http::HeaderMap, Bytes)>;

impl Client {
    pub fn of(sandbox: &Sandbox) -> Self {
        Self { address: sandbox.address().to_string(), key: sandbox.credentials(), region: "us-east-1" }
    }

    /// An EC2 action; its answer as text.
    pub async fn ec2(&self, query: &str) -> (u16, String) {
        let form = [("content-type", "application/x-www-form-urlencoded")];
        let (status, _, body) = self.send("POST", "ec2", "/", &form, query.as_bytes().to_vec()).await.unwrap();
        (status, String::from_utf8(body.to_vec()).unwrap())
    }

    /// An EBS direct operation; its answer as JSON.
    pub async fn ebs(&self, method: &str, path: &str) -> (u16, serde_json::Value) {
        let (status, _, body) = self.send(method, "ebs", path, &[], Vec::new()).await.unwrap();
        (status, serde_json::from_slice(&body).unwrap())
    }

    /// Starts a snapshot of 1 GiB, and answers its id.
    pub async fn start_snapshot(&self, body: &str) -> String {
        let (status, _, body) = self.send("POST", "ebs", "/snapshots", &[], body.as_bytes().to_vec()).await.unwrap();
        assert_eq!(status, 201, "{body:?}");
        let body: serde_json::Value = serde_json::from_slice(&body).unwrap();
        body["SnapshotId"].as_str().unwrap().to_owned()
    }

    pub async fn put_block(&self, snapshot: &str, index: u32, data: Vec<u8>) -> Answer {
        use base64::Engine;
        let checksum = base64::prelude::BASE64_STANDARD.encode(sha256(&data));
        let length = data.len().to_string();
        let headers = [
            ("x-amz-checksum", checksum.as_str()),
            ("x-amz-checksum-algorithm", "SHA256"),
            ("x-amz-data-length", length.as_str()),
        ];
        self.send("PUT", "ebs", &format!("/snapshots/{snapshot}/blocks/{index}"), &headers, data).await
    }

    pub async fn complete(&self, snapshot: &str, count: u32) -> u16 {
        let count = count.to_string();
        let headers = [("x-amz-changedblockscount", count.as_str())];
        let path = format!("/snapshots/completion/{snapshot}");
        self.send("POST", "ebs", &path, &headers, Vec::new()).await.unwrap().0
    }

    pub async fn get_block(&self, snapshot: &str, index: u32, token: &str) -> Answer {
        let token: String = form_urlencoded::byte_serialize(token.as_bytes()).collect();
        let path = format!("/snapshots/{snapshot}/blocks/{index}?blockToken={token}");
        self.send("GET", "ebs", &path, &[], Vec::new()).await
    }

    /// The block indices and tokens of a snapshot.
    pub async fn blocks(&self, snapshot: &str) -> Vec<(u32, String)> {
        let (status, listed) = self.ebs("GET", &format!("/snapshots/{snapshot}/blocks")).await;
        assert_eq!(status, 200, "{listed}");
        let each = |b: &serde_json::Value| {
            (b["BlockIndex"].as_u64().unwrap() as u32, b["BlockToken"].as_str().unwrap().to_owned())
        };
        listed["Blocks"].as_array().unwrap().iter().map(each).collect()
    }

    pub async fn send(
        &self,
        method: &str,
        service: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: Vec<u8>,
    ) -> Answer {
        let stamp = jiff::Timestamp::now().strftime("%Y%m%dT%H%M%SZ").to_string();
        let mut request = http::Request::builder()
            .method(method)
            .uri(path)
            .header("host", self.address.as_str())
            .header("x-amz-date", stamp);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let (mut parts, ()) = request.body(()).unwrap().into_parts();
        let Credentials { access_key, secret_key } = &self.key;
        let scope = (self.region, service);
        let authorization = sign(&parts, access_key, secret_key, scope, &["host", "x-amz-date"], &body);
        parts.headers.insert("authorization", authorization.parse().unwrap());

        let stream = TcpStream::connect(&self.address).await?;
        let (mut sender, connection) =
            hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.map_err(io::Error::other)?;
        let connection = tokio::spawn(connection);
        let request = http::Request::from_parts(parts, Full::new(Bytes::from(body)));
        let answer = sender.send_request(request).await.map_err(io::Error::other)?;
        let (status, headers) = (answer.status().as_u16(), answer.headers().clone());
        let body = answer.into_body().collect().await.map_err(io::Error::other)?.to_bytes();
        connection.abort();
        Ok((status, headers, body))
    }
}
