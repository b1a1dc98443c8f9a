#include "digate_errors.h"

#include <thread>

#include <grpcpp/support/error_details.h>

#include "google/rpc/error_details.pb.h"

namespace digate {
namespace {

// Detail returns the detail of an error that has the type.
template <typename Message>
std::optional<Message> Detail(const google::rpc::Status& error) {
  Message message;
  for (const auto& detail : error.details()) {
    if (detail.UnpackTo(&message)) return message;
  }
  return std::nullopt;
}

}  // namespace

google::rpc::Status Details(const grpc::Status& error) {
  google::rpc::Status details;
  if (!grpc::ExtractErrorDetails(error, &details).ok()) details.Clear();
  return details;
}

std::string Outcome(const google::rpc::Status& error) {
  if (const auto info = Detail<google::rpc::ErrorInfo>(error)) {
    const auto found = info->metadata().find("outcome");
    if (found != info->metadata().end()) return found->second;
  }
  return "UNKNOWN";
}

std::optional<Seconds> RetryDelay(const google::rpc::Status& error) {
  const auto info = Detail<google::rpc::RetryInfo>(error);
  if (!info) return std::nullopt;
  return Seconds(static_cast<double>(info->retry_delay().seconds()) + info->retry_delay().nanos() / 1e9);
}

std::vector<std::string> Violations(const google::rpc::Status& error) {
  std::vector<std::string> fields;
  if (const auto bad = Detail<google::rpc::BadRequest>(error)) {
    for (const auto& violation : bad->field_violations()) fields.push_back(violation.field());
  }
  return fields;
}

grpc::Status CopyOnce(diga::integration::v1::IntegrationService::Stub& stub,
                      const diga::integration::v1::CopyTemplateRequest& request, Seconds timeout,
                      const std::function<void(grpc::ClientContext&)>& prepare,
                      diga::integration::v1::CopyTemplateResponse* response) {
  if (request.request_id().empty()) {
    return {grpc::StatusCode::INVALID_ARGUMENT, "a copy without a request_id must not be repeated"};
  }
  using Clock = std::chrono::system_clock;
  const auto end = Clock::now() + std::chrono::duration_cast<Clock::duration>(timeout);
  for (Seconds pause(0.2);; pause *= 2) {
    grpc::ClientContext context;
    prepare(context);
    context.set_deadline(end);
    const grpc::Status status = stub.CopyTemplate(&context, request, response);
    if (status.ok()) return status;
    const auto details = Details(status);
    auto delay = RetryDelay(details);
    // ABORTED is digate's own UNKNOWN: an earlier call with this id was sent.
    if (!delay && Outcome(details) == "UNKNOWN" && status.error_code() != grpc::StatusCode::ABORTED) delay = pause;
    if (!delay || Clock::now() + *delay >= end) return status;
    std::this_thread::sleep_for(*delay);
  }
}

}  // namespace digate
