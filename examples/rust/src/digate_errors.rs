//! What became of a call of digate that failed, and a copy that is made once.
//!
//! Copy this file into your project, beside the code generated from the contract.

use std::time::{Duration, Instant};

use tonic::{Code, Request, Status};
use tonic_types::{ErrorDetails, RpcStatusExt, StatusExt};

use crate::diga::{CopyTemplateRequest, CopyTemplateResponse};
use crate::Client;

/// The error of a call, or the `google.rpc.Status` of one copy of a bulk stream.
pub trait Failure {
    fn details(&self) -> ErrorDetails;
}

impl Failure for Status {
    fn details(&self) -> ErrorDetails {
        self.get_error_details()
    }
}

impl Failure for tonic_types::pb::Status {
    fn details(&self) -> ErrorDetails {
        self.get_error_details()
    }
}

/// Returns what happened on Diga's side: NOT_SENT, REJECTED, DONE or UNKNOWN. An error
/// without an outcome does not come from digate: the connection was lost, or a proxy
/// failed the call. It counts as UNKNOWN.
pub fn outcome(error: &impl Failure) -> String {
    let details = error.details();
    let outcome = details.error_info().and_then(|info| info.metadata.get("outcome"));
    outcome.cloned().unwrap_or_else(|| "UNKNOWN".into())
}

/// Returns after what time to try again, or None if digate named none.
pub fn retry_delay(error: &impl Failure) -> Option<Duration> {
    error.details().retry_info()?.retry_delay
}

/// Returns the names of the fields whose values were refused.
pub fn violations(error: &impl Failure) -> Vec<String> {
    let details = error.details();
    let violations = details.bad_request().map(|bad| &bad.field_violations);
    violations.into_iter().flatten().map(|v| v.field.clone()).collect()
}

/// Makes one integration, however often the request has to be sent.
///
/// The request has a request_id. Store it with your own record of the job before the
/// first call, so that the job can be repeated after a crash too. While there is time,
/// the call is repeated if digate names a delay, or if the result was lost. Returns the
/// last error: UNKNOWN then means that a person has to look.
pub async fn copy_once(client: &mut Client, request: &CopyTemplateRequest, timeout: Duration) -> Result<CopyTemplateResponse, Status> {
    assert!(!request.request_id.is_empty(), "a copy without a request_id must not be repeated");
    let end = Instant::now() + timeout;
    let mut pause = Duration::from_millis(200);
    loop {
        let left = end.saturating_duration_since(Instant::now());
        let mut call = Request::new(request.clone());
        call.set_timeout(left);
        let error = match client.copy_template(call).await {
            Ok(response) => return Ok(response.into_inner()),
            Err(error) => error,
        };
        // ABORTED is digate's own UNKNOWN: an earlier call with this id was sent.
        let lost = outcome(&error) == "UNKNOWN" && error.code() != Code::Aborted;
        let Some(delay) = retry_delay(&error).or(lost.then_some(pause)) else {
            return Err(error);
        };
        if Instant::now() + delay >= end {
            return Err(error);
        }
        tokio::time::sleep(delay).await;
        pause *= 2;
    }
}
