//! The driver for tonic. doc.go says what a driver does.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use base64::{Engine, engine::general_purpose::STANDARD as BASE64};
use bytes::{Buf, BufMut};
use serde::{Deserialize, Serialize};
use tokio::io::AsyncReadExt;
use tonic::client::Grpc;
use tonic::codec::{Codec, CompressionEncoding, DecodeBuf, Decoder, EncodeBuf, Encoder};
use tonic::metadata::{KeyAndValueRef, MetadataKey, MetadataMap};
use tonic::transport::{Certificate, Channel, ClientTlsConfig, Endpoint, Identity};
use tonic::{Code, Request, Status};
use tonic_types::StatusExt;

#[derive(Deserialize)]
struct Plan {
    address: String,
    #[serde(default)]
    compression: String,
    #[serde(default)]
    accept: String,
    #[serde(default)]
    keepalive_ms: u64,
    tls: Option<Tls>,
    warm: Option<Call>,
    calls: Vec<Call>,
    load: Option<Load>,
}

#[derive(Deserialize)]
struct Tls {
    authorities: String,
    #[serde(default)]
    certificate: String,
    #[serde(default)]
    key: String,
}

#[derive(Clone, Deserialize)]
struct Call {
    method: String,
    messages: Vec<String>,
    #[serde(default)]
    metadata: HashMap<String, String>,
    #[serde(default)]
    timeout_ms: u64,
}

#[derive(Deserialize)]
struct Load {
    workers: usize,
    ms: u64,
}

#[derive(Default, Serialize)]
struct Ended {
    index: usize,
    code: String,
    message: String,
    reason: String,
    domain: String,
    info: HashMap<String, String>,
    violations: Vec<String>,
    responses: Vec<String>,
    // tonic gives header and trailer as one.
    trailer: BTreeMap<String, String>,
}

/// Messages go as the bytes that they are.
#[derive(Clone, Copy, Default)]
struct Bytes;

impl Codec for Bytes {
    type Encode = Vec<u8>;
    type Decode = Vec<u8>;
    type Encoder = Bytes;
    type Decoder = Bytes;

    fn encoder(&mut self) -> Bytes {
        Bytes
    }

    fn decoder(&mut self) -> Bytes {
        Bytes
    }
}

impl Encoder for Bytes {
    type Item = Vec<u8>;
    type Error = Status;

    fn encode(&mut self, message: Vec<u8>, to: &mut EncodeBuf<'_>) -> Result<(), Status> {
        to.put_slice(&message);
        Ok(())
    }
}

impl Decoder for Bytes {
    type Item = Vec<u8>;
    type Error = Status;

    fn decode(&mut self, from: &mut DecodeBuf<'_>) -> Result<Option<Vec<u8>>, Status> {
        let mut message = vec![0; from.remaining()];
        from.copy_to_slice(&mut message);
        Ok(Some(message))
    }
}

fn encoding(name: &str) -> Option<CompressionEncoding> {
    match name {
        "gzip" => Some(CompressionEncoding::Gzip),
        "deflate" => Some(CompressionEncoding::Deflate),
        _ => None,
    }
}

fn client(plan: &Plan) -> Grpc<Channel> {
    let scheme = if plan.tls.is_some() { "https" } else { "http" };
    let mut endpoint = Endpoint::from_shared(format!("{scheme}://{}", plan.address)).expect("an address");
    if let Some(tls) = &plan.tls {
        let mut config = ClientTlsConfig::new().ca_certificate(Certificate::from_pem(&tls.authorities));
        if !tls.certificate.is_empty() {
            config = config.identity(Identity::from_pem(&tls.certificate, &tls.key));
        }
        endpoint = endpoint.tls_config(config).expect("TLS");
    }
    if plan.keepalive_ms > 0 {
        endpoint = endpoint
            .http2_keep_alive_interval(Duration::from_millis(plan.keepalive_ms))
            .keep_alive_while_idle(true);
    }
    let mut client = Grpc::new(endpoint.connect_lazy());
    if let Some(encoding) = encoding(&plan.compression) {
        client = client.send_compressed(encoding);
        if plan.accept != "identity" {
            client = client.accept_compressed(encoding);
        }
    }
    client
}

async fn run(mut client: Grpc<Channel>, call: &Call) -> Ended {
    let mut ended = Ended { code: "OK".into(), ..Default::default() };
    if let Err(status) = try_run(&mut client, call, &mut ended).await {
        ended.code = name(status.code());
        ended.message = status.message().into();
        ended.trailer = pairs(status.metadata());
        if let Some(info) = status.get_details_error_info() {
            (ended.reason, ended.domain, ended.info) = (info.reason, info.domain, info.metadata);
        }
        if let Some(bad) = status.get_details_bad_request() {
            ended.violations = bad.field_violations.into_iter().map(|v| v.field).collect();
        }
    }
    ended
}

async fn try_run(client: &mut Grpc<Channel>, call: &Call, ended: &mut Ended) -> Result<(), Status> {
    client.ready().await.map_err(|e| Status::from_error(e.into()))?;
    let path = format!("/{}", call.method).parse().expect("a path");
    let mut messages: Vec<Vec<u8>> = call.messages.iter().map(|m| BASE64.decode(m).expect("base64")).collect();
    if call.method.ends_with("/BulkCopyTemplate") {
        let request = with_metadata(Request::new(tokio_stream::iter(messages)), call);
        let mut stream = client.streaming(request, path, Bytes).await?.into_inner();
        while let Some(message) = stream.message().await? {
            ended.responses.push(BASE64.encode(message));
        }
        if let Some(trailer) = stream.trailers().await? {
            ended.trailer = pairs(&trailer);
        }
        return Ok(());
    }
    let request = with_metadata(Request::new(messages.remove(0)), call);
    let response = client.unary(request, path, Bytes).await?;
    ended.trailer = pairs(response.metadata());
    ended.responses.push(BASE64.encode(response.into_inner()));
    Ok(())
}

fn with_metadata<T>(mut request: Request<T>, call: &Call) -> Request<T> {
    for (key, value) in &call.metadata {
        let key = MetadataKey::from_bytes(key.as_bytes()).expect("a key");
        request.metadata_mut().insert(key, value.parse().expect("a value"));
    }
    if call.timeout_ms > 0 {
        request.set_timeout(Duration::from_millis(call.timeout_ms));
    }
    request
}

fn pairs(metadata: &MetadataMap) -> BTreeMap<String, String> {
    metadata
        .iter()
        .filter_map(|pair| match pair {
            KeyAndValueRef::Ascii(key, value) => Some((key.to_string(), value.to_str().ok()?.to_string())),
            KeyAndValueRef::Binary(..) => None,
        })
        .collect()
}

/// Returns the name of a code as the other drivers write it.
fn name(code: Code) -> String {
    let mut name = String::new();
    for c in format!("{code:?}").chars() {
        if c.is_uppercase() && !name.is_empty() {
            name.push('_');
        }
        name.push(c.to_ascii_uppercase());
    }
    name
}

async fn load(client: Grpc<Channel>, call: Call, load: &Load) -> BTreeMap<String, usize> {
    let ends = Arc::new(Mutex::new(BTreeMap::new()));
    let until = Instant::now() + Duration::from_millis(load.ms);
    let mut workers = vec![];
    for _ in 0..load.workers {
        let (client, call, ends) = (client.clone(), call.clone(), ends.clone());
        workers.push(tokio::spawn(async move {
            while Instant::now() < until {
                let e = run(client.clone(), &call).await;
                let end = match (e.code.as_str(), e.reason.as_str()) {
                    ("OK", _) => "OK".to_string(),
                    (code, "") => format!("{code} without ErrorInfo: {}", e.message),
                    (code, reason) => format!("{code} {reason}"),
                };
                *ends.lock().unwrap().entry(end).or_default() += 1;
            }
        }));
    }
    for worker in workers {
        worker.await.expect("a worker");
    }
    Arc::into_inner(ends).expect("no worker").into_inner().unwrap()
}

#[tokio::main]
async fn main() {
    let path = std::env::args().nth(1).expect("the path of a plan");
    let plan: Plan = serde_json::from_slice(&std::fs::read(path).expect("the plan")).expect("a plan");
    let client = client(&plan);
    if let Some(how) = &plan.load {
        let ends = load(client, plan.calls[0].clone(), how).await;
        println!("{}", serde_json::json!({ "ends": ends }));
        return;
    }
    if let Some(warm) = &plan.warm {
        run(client.clone(), warm).await;
    }
    let (cancel, cancelled) = tokio::sync::watch::channel(false);
    let calls: Vec<_> = plan.calls.into_iter().enumerate().map(|(index, call)| {
        let (client, mut cancelled) = (client.clone(), cancelled.clone());
        tokio::spawn(async move {
            let mut ended = tokio::select! {
                ended = run(client, &call) => ended,
                _ = cancelled.changed() => Ended { code: "CANCELLED".into(), ..Default::default() },
            };
            ended.index = index;
            println!("{}", serde_json::to_string(&ended).expect("a line"));
        })
    }).collect();
    tokio::spawn(async move {
        let _ = tokio::io::stdin().read_to_end(&mut vec![]).await;
        let _ = cancel.send(true);
    });
    for call in calls {
        call.await.expect("a call");
    }
    std::process::exit(0); // the read of the standard input would hold it up
}
