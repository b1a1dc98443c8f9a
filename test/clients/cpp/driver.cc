// The driver for grpc++. doc.go says what a driver does.

#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <fstream>
#include <future>
#include <iostream>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include <google/protobuf/util/json_util.h>
#include <grpcpp/generic/generic_stub.h>
#include <grpcpp/grpcpp.h>
#include <grpcpp/support/error_details.h>

#include "google/rpc/error_details.pb.h"
#include "google/rpc/status.pb.h"
#include "plan.pb.h"

namespace {

using grpc::ByteBuffer;

// How the other drivers write a code.
const char* Name(grpc::StatusCode code) {
  static const char* const names[] = {
      "OK",        "CANCELLED",          "UNKNOWN",           "INVALID_ARGUMENT",    "DEADLINE_EXCEEDED",   "NOT_FOUND",
      "ALREADY_EXISTS", "PERMISSION_DENIED", "RESOURCE_EXHAUSTED", "FAILED_PRECONDITION", "ABORTED",             "OUT_OF_RANGE",
      "UNIMPLEMENTED",  "INTERNAL",          "UNAVAILABLE",        "DATA_LOSS",           "UNAUTHENTICATED"};
  return code >= 0 && code <= 16 ? names[code] : "?";
}

// Messages go as the bytes that they are.
ByteBuffer Buffer(const std::string& message) {
  grpc::Slice slice(message);
  return ByteBuffer(&slice, 1);
}

std::string Bytes(const ByteBuffer& buffer) {
  std::vector<grpc::Slice> slices;
  buffer.Dump(&slices);
  std::string bytes;
  for (const auto& slice : slices) bytes.append(reinterpret_cast<const char*>(slice.begin()), slice.size());
  return bytes;
}

template <typename Message>
std::string Json(const Message& message) {
  google::protobuf::util::JsonPrintOptions options;
  options.always_print_primitive_fields = true;
  options.preserve_proto_field_names = true;
  std::string json;
  auto status = google::protobuf::util::MessageToJsonString(message, &json, options);
  if (!status.ok()) {
    std::cerr << status.ToString() << std::endl;
    std::exit(1);
  }
  return json;
}

std::shared_ptr<grpc::ChannelCredentials> Credentials(const plan::Plan& plan) {
  if (!plan.has_tls()) return grpc::InsecureChannelCredentials();
  grpc::SslCredentialsOptions options;
  options.pem_root_certs = plan.tls().authorities();
  options.pem_private_key = plan.tls().key();
  options.pem_cert_chain = plan.tls().certificate();
  return grpc::SslCredentials(options);
}

// A stream sends all its messages and keeps all that come back.
class Stream : public grpc::ClientBidiReactor<ByteBuffer, ByteBuffer> {
 public:
  explicit Stream(const plan::Call& call) {
    for (const auto& message : call.messages()) messages_.push_back(Buffer(message));
  }

  void Start() {
    StartRead(&read_);
    Write();
    StartCall();
  }

  grpc::Status Wait() { return done_.get_future().get(); }

  std::vector<std::string> responses;

 private:
  void Write() {
    if (written_ == messages_.size()) {
      StartWritesDone();
    } else {
      StartWrite(&messages_[written_++]);
    }
  }

  void OnWriteDone(bool ok) override {
    if (ok) Write();
  }

  void OnReadDone(bool ok) override {
    if (!ok) return;
    responses.push_back(Bytes(read_));
    StartRead(&read_);
  }

  void OnDone(const grpc::Status& status) override { done_.set_value(status); }

  std::vector<ByteBuffer> messages_;
  size_t written_ = 0;
  ByteBuffer read_;
  std::promise<grpc::Status> done_;
};

class Calls {
 public:
  explicit Calls(const plan::Plan& plan) : plan_(plan) {
    grpc::ChannelArguments arguments;
    if (!plan.service_config().empty()) arguments.SetServiceConfigJSON(plan.service_config());
    if (plan.keepalive_ms() > 0) {
      arguments.SetInt(GRPC_ARG_KEEPALIVE_TIME_MS, plan.keepalive_ms());
      arguments.SetInt(GRPC_ARG_KEEPALIVE_PERMIT_WITHOUT_CALLS, 1);
      arguments.SetInt(GRPC_ARG_HTTP2_MAX_PINGS_WITHOUT_DATA, 0);
    }
    if (plan.compression() == "gzip") arguments.SetCompressionAlgorithm(GRPC_COMPRESS_GZIP);
    if (plan.compression() == "deflate") arguments.SetCompressionAlgorithm(GRPC_COMPRESS_DEFLATE);
    channel_ = grpc::CreateCustomChannel(plan.address(), Credentials(plan), arguments);
  }

  // Run makes a call and returns how it ended.
  plan::Ended Run(const plan::Call& call) {
    grpc::ClientContext context;
    for (const auto& pair : call.metadata()) context.AddMetadata(pair.first, pair.second);
    if (call.timeout_ms() > 0) {
      context.set_deadline(std::chrono::system_clock::now() + std::chrono::milliseconds(call.timeout_ms()));
    }
    Open(&context);
    plan::Ended ended;
    grpc::TemplatedGenericStub<ByteBuffer, ByteBuffer> stub(channel_);
    const std::string path = "/" + call.method();
    grpc::Status status;
    if (call.method().find("/Bulk") != std::string::npos) {
      Stream stream(call);
      stub.PrepareBidiStreamingCall(&context, path, {}, &stream);
      stream.Start();
      status = stream.Wait();
      for (const auto& response : stream.responses) ended.add_responses(response);
    } else {
      ByteBuffer request = Buffer(call.messages(0)), response;
      std::promise<grpc::Status> done;
      stub.UnaryCall(&context, path, {}, &request, &response, [&done](grpc::Status s) { done.set_value(std::move(s)); });
      status = done.get_future().get();
      if (status.ok()) ended.add_responses(Bytes(response));
    }
    Close(&context);
    Describe(status, &ended);
    if (status.error_code() != grpc::CANCELLED) {
      for (const auto& pair : context.GetServerInitialMetadata()) Put(pair, ended.mutable_header());
      for (const auto& pair : context.GetServerTrailingMetadata()) Put(pair, ended.mutable_trailer());
      ended.mutable_trailer()->erase("grpc-status-details-bin");
    }
    return ended;
  }

  // RunAll makes the calls of the plan all at once.
  void RunAll() {
    std::vector<std::thread> threads;
    for (int i = 0; i < plan_.calls_size(); i++) {
      threads.emplace_back([this, i] {
        plan::Ended ended = Run(plan_.calls(i));
        ended.set_index(i);
        Write(Json(ended));
      });
    }
    for (auto& thread : threads) thread.join();
  }

  // Load repeats the first call for a while and counts how the calls end.
  void Load() {
    const auto until = std::chrono::steady_clock::now() + std::chrono::milliseconds(plan_.load().ms());
    plan::Ends counted;
    std::vector<std::thread> threads;
    for (int i = 0; i < plan_.load().workers(); i++) {
      threads.emplace_back([&] {
        while (std::chrono::steady_clock::now() < until) {
          const plan::Ended ended = Run(plan_.calls(0));
          std::string end = ended.code();
          if (end != "OK") end += ended.reason().empty() ? " without ErrorInfo: " + ended.message() : " " + ended.reason();
          std::lock_guard<std::mutex> lock(mutex_);
          ++(*counted.mutable_ends())[end];
        }
      });
    }
    for (auto& thread : threads) thread.join();
    Write(Json(counted));
  }

  // Cancel cancels the calls under way.
  void Cancel() {
    std::lock_guard<std::mutex> lock(mutex_);
    cancelled_ = true;
    for (auto* context : open_) context->TryCancel();
  }

 private:
  void Open(grpc::ClientContext* context) {
    std::lock_guard<std::mutex> lock(mutex_);
    open_.push_back(context);
    if (cancelled_) context->TryCancel();
  }

  void Close(grpc::ClientContext* context) {
    std::lock_guard<std::mutex> lock(mutex_);
    open_.erase(std::find(open_.begin(), open_.end(), context));
  }

  void Write(const std::string& line) {
    std::lock_guard<std::mutex> lock(mutex_);
    std::cout << line << std::endl;
  }

  template <typename Pair, typename Map>
  static void Put(const Pair& pair, Map* map) {
    const std::string key(pair.first.data(), pair.first.size());
    if (key.size() < 4 || key.compare(key.size() - 4, 4, "-bin") != 0) {
      (*map)[key] = std::string(pair.second.data(), pair.second.size());
    }
  }

  static void Describe(const grpc::Status& status, plan::Ended* ended) {
    ended->set_code(Name(status.error_code()));
    ended->set_message(status.error_message());
    google::rpc::Status details;
    if (!grpc::ExtractErrorDetails(status, &details).ok()) return;
    for (const auto& detail : details.details()) {
      google::rpc::ErrorInfo info;
      google::rpc::BadRequest bad;
      if (detail.UnpackTo(&info)) {
        ended->set_reason(info.reason());
        ended->set_domain(info.domain());
        *ended->mutable_info() = info.metadata();
      } else if (detail.UnpackTo(&bad)) {
        for (const auto& violation : bad.field_violations()) ended->add_violations(violation.field());
      }
    }
  }

  const plan::Plan& plan_;
  std::shared_ptr<grpc::Channel> channel_;
  std::mutex mutex_;
  std::vector<grpc::ClientContext*> open_;
  bool cancelled_ = false;
};

}  // namespace

int main(int, char** argv) {
  std::ifstream file(argv[1]);
  const std::string text((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
  plan::Plan plan;
  google::protobuf::util::JsonParseOptions options;
  options.ignore_unknown_fields = true;
  const auto status = google::protobuf::util::JsonStringToMessage(text, &plan, options);
  if (!status.ok()) {
    std::cerr << status.ToString() << std::endl;
    return 1;
  }
  Calls calls(plan);
  if (plan.has_load()) {
    calls.Load();
    return 0;
  }
  if (plan.has_warm()) calls.Run(plan.warm());
  std::thread([&calls] {
    char byte;
    while (read(0, &byte, 1) > 0) {
    }
    calls.Cancel();
  }).detach();
  calls.RunAll();
  std::cout.flush();
  _exit(0);  // the read of the standard input would hold it up
}
