// What became of a call of digate that failed, and a copy that is made once.
//
// Copy this file and digate_errors.cc into your project, beside the code generated from
// the contract.

#pragma once

#include <chrono>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include <grpcpp/grpcpp.h>

#include "diga/integration/v1/integration_service.grpc.pb.h"
#include "google/rpc/status.pb.h"

namespace digate {

using Seconds = std::chrono::duration<double>;

// Details returns the google.rpc.Status of a call that failed. That of one copy of a
// bulk stream is in its result.
google::rpc::Status Details(const grpc::Status& error);

// Outcome returns what happened on Diga's side: NOT_SENT, REJECTED, DONE or UNKNOWN. An
// error without an outcome does not come from digate: the connection was lost, or a
// proxy failed the call. It counts as UNKNOWN.
std::string Outcome(const google::rpc::Status& error);

// RetryDelay returns after what time to try again, if digate named one.
std::optional<Seconds> RetryDelay(const google::rpc::Status& error);

// Violations returns the names of the fields whose values were refused.
std::vector<std::string> Violations(const google::rpc::Status& error);

// CopyOnce makes one integration, however often the request has to be sent. The request
// has a request_id. Store it with your own record of the job before the first call, so
// that the job can be repeated after a crash too. While there is time, the call is
// repeated if digate names a delay, or if the result was lost. It returns the last
// error: UNKNOWN then means that a person has to look. Prepare adds what each call needs.
grpc::Status CopyOnce(diga::integration::v1::IntegrationService::Stub& stub,
                      const diga::integration::v1::CopyTemplateRequest& request, Seconds timeout,
                      const std::function<void(grpc::ClientContext&)>& prepare,
                      diga::integration::v1::CopyTemplateResponse* response);

}  // namespace digate
