//! Copies templates through digate, and shows what became of each call.

mod digate_errors;

/// The code that build.rs generates.
mod diga {
    tonic::include_proto!("diga.integration.v1");
}

use std::env;
use std::error::Error;
use std::fs;
use std::time::Duration;

use prost_types::{Struct, Value, value::Kind};
use tonic::metadata::{Ascii, MetadataValue};
use tonic::service::{Interceptor, interceptor::InterceptedService};
use tonic::transport::{Certificate, Channel, ClientTlsConfig, Endpoint, Identity};
use tonic::{Code, Request, Status};
use uuid::Uuid;

use diga::bulk_copy_template_response::Outcome;
use diga::integration_service_client::IntegrationServiceClient;
use diga::{BulkCopyTemplateRequest, CopyTemplateRequest, GetTemplateRequest, GetTemplateResponse, StreamTemplatesRequest};
use digate_errors::{copy_once, outcome, retry_delay, violations};

const TEMPLATE: &str = "3c90c3cc-0d44-4b50-8888-8dd25736052a";

// Copying these goes wrong on purpose in `digate dev`.
const MISSING: &str = "99999999-9999-4999-8999-999999999999";
const RATE_LIMITED: &str = "00000000-0000-4000-8000-000000000429";
const NO_RESPONSE: &str = "00000000-0000-4000-8000-000000000601";
const RESPONSE_LOST: &str = "00000000-0000-4000-8000-000000000603";
const BUSY_ONCE: &str = "00000000-0000-4000-8000-000000000608";

const TIMEOUT: Duration = Duration::from_secs(10);

pub type Client = IntegrationServiceClient<InterceptedService<Channel, Caller>>;

/// Who calls: a token, and an account where the caller has several.
#[derive(Clone)]
pub struct Caller {
    token: Option<MetadataValue<Ascii>>,
    account: Option<MetadataValue<Ascii>>,
}

impl Interceptor for Caller {
    fn call(&mut self, mut request: Request<()>) -> Result<Request<()>, Status> {
        if let Some(token) = &self.token {
            request.metadata_mut().insert("authorization", token.clone());
        }
        if let Some(account) = &self.account {
            request.metadata_mut().insert("digate-account", account.clone());
        }
        Ok(request)
    }
}

/// Returns a client: over TLS if there is an authority to trust. With a certificate of
/// its own, a client needs no token where digate has a file of accounts.
fn connect() -> Result<Client, Box<dyn Error>> {
    let address = env::var("DIGATE_ADDR").unwrap_or_else(|_| "127.0.0.1:9090".into());
    let endpoint = match env::var("DIGATE_CA_FILE") {
        Err(_) => Endpoint::from_shared(format!("http://{address}"))?,
        Ok(authorities) => {
            let mut tls = ClientTlsConfig::new().ca_certificate(Certificate::from_pem(fs::read(authorities)?));
            if let Ok(certificate) = env::var("DIGATE_CERT_FILE") {
                tls = tls.identity(Identity::from_pem(fs::read(certificate)?, fs::read(env::var("DIGATE_KEY_FILE")?)?));
            }
            Endpoint::from_shared(format!("https://{address}"))?.tls_config(tls)?
        }
    };
    let token = env::var("DIGATE_TOKEN").ok().map(|token| format!("Bearer {token}").parse()).transpose()?;
    let account = env::var("DIGATE_ACCOUNT").ok().map(|account| account.parse()).transpose()?;
    Ok(IntegrationServiceClient::with_interceptor(endpoint.connect_lazy(), Caller { token, account }))
}

fn within<T>(timeout: Duration, message: T) -> Request<T> {
    let mut request = Request::new(message);
    request.set_timeout(timeout);
    request
}

fn copy_of(template: &str, name: Option<&str>) -> CopyTemplateRequest {
    let shop = Value { kind: Some(Kind::StringValue("acme".into())) };
    CopyTemplateRequest {
        template_id: template.into(),
        name: name.map(Into::into),
        api_key: Some("k-123".into()),
        variables: Some(Struct { fields: [("shop".into(), shop)].into() }),
        ..Default::default()
    }
}

fn copy_with_id(template: &str, name: Option<&str>) -> CopyTemplateRequest {
    CopyTemplateRequest { request_id: Uuid::new_v4().into(), ..copy_of(template, name) }
}

/// Copies a template of which the copy fails, and returns the error.
async fn failure(client: &mut Client, template: &str, timeout: Duration) -> Result<Status, String> {
    match client.copy_template(within(timeout, copy_of(template, None))).await {
        Ok(_) => Err(format!("the copy of {template} did not fail")),
        Err(error) => Ok(error),
    }
}

/// Gets a template. tonic follows no service config, so that the client has to repeat
/// reads by itself. A write is never repeated so: see copy_once.
async fn get_template(client: &mut Client, id: &str) -> Result<GetTemplateResponse, Status> {
    let mut pause = Duration::from_millis(200);
    for _ in 0..2 {
        match client.get_template(within(TIMEOUT, GetTemplateRequest { template_id: id.into() })).await {
            Err(error) if error.code() == Code::Unavailable => {}
            ended => return ended.map(|response| response.into_inner()),
        }
        tokio::time::sleep(pause).await;
        pause *= 2;
    }
    let last = client.get_template(within(TIMEOUT, GetTemplateRequest { template_id: id.into() })).await?;
    Ok(last.into_inner())
}

/// Sends copies on one stream.
async fn bulk(client: &mut Client) -> Result<(), Status> {
    let copies = [TEMPLATE, MISSING, TEMPLATE].map(|t| BulkCopyTemplateRequest { copy: Some(copy_with_id(t, None)) });
    let mut results = client.bulk_copy_template(within(TIMEOUT, tokio_stream::iter(copies))).await?.into_inner();
    while let Some(result) = results.message().await? {
        match result.outcome {
            Some(Outcome::Error(error)) => println!("one of the bulk copies: {}", outcome(&error)),
            Some(Outcome::Summary(summary)) => println!("bulk: {} of {} done", summary.done, summary.total),
            _ => {}
        }
    }
    Ok(())
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let client = &mut connect()?;

    let copied = client.copy_template(within(TIMEOUT, copy_of(TEMPLATE, Some("my shop")))).await?.into_inner();
    println!("copied: {}", copied.integration.unwrap_or_default().name);

    println!("no such template: {}", outcome(&failure(client, MISSING, TIMEOUT).await?));
    let refused = failure(client, "x", TIMEOUT).await?;
    println!("bad template id: {} {}", outcome(&refused), violations(&refused).join(" "));
    println!("no response in time: {}", outcome(&failure(client, NO_RESPONSE, Duration::from_millis(500)).await?));

    let once = copy_with_id(TEMPLATE, Some("once"));
    let first = copy_once(client, &once, TIMEOUT).await?.integration.unwrap_or_default();
    let again = copy_once(client, &once, TIMEOUT).await?.integration.unwrap_or_default();
    println!("copied twice with one request id: {}", if first.id == again.id { "one integration" } else { "two" });

    let late = copy_once(client, &copy_with_id(BUSY_ONCE, Some("late")), TIMEOUT).await?;
    println!("copied after a 503: {}", late.integration.unwrap_or_default().name);
    if let Err(error) = copy_once(client, &copy_with_id(RESPONSE_LOST, None), TIMEOUT).await {
        println!("response lost: {}", outcome(&error));
    }

    println!("template: {}", get_template(client, TEMPLATE).await?.template.unwrap_or_default().name);

    bulk(client).await?;

    let chosen = StreamTemplatesRequest { language: Some("en".into()), max_items: Some(3), ..Default::default() };
    let mut templates = client.stream_templates(within(TIMEOUT, chosen)).await?.into_inner();
    let mut streamed = 0;
    while templates.message().await?.is_some() {
        streamed += 1;
    }
    println!("streamed: {streamed} templates");

    let limited = failure(client, RATE_LIMITED, TIMEOUT).await?;
    println!("rate limit: {}, again in {} s", outcome(&limited), retry_delay(&limited).unwrap_or_default().as_secs());
    Ok(())
}
