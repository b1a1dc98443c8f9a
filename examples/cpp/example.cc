// Copies templates through digate, and shows what became of each call.

#include <cstdlib>
#include <fstream>
#include <iostream>
#include <iterator>
#include <memory>
#include <random>
#include <stdexcept>
#include <string>

#include <grpcpp/grpcpp.h>

#include "diga/integration/v1/integration_service.grpc.pb.h"
#include "digate_errors.h"

namespace {

using namespace diga::integration::v1;
using digate::Details;
using digate::Outcome;
using digate::Seconds;

const char kTemplate[] = "3c90c3cc-0d44-4b50-8888-8dd25736052a";

// Copying these goes wrong on purpose in `digate dev`.
const char kMissing[] = "99999999-9999-4999-8999-999999999999";
const char kRateLimited[] = "00000000-0000-4000-8000-000000000429";
const char kNoResponse[] = "00000000-0000-4000-8000-000000000601";
const char kResponseLost[] = "00000000-0000-4000-8000-000000000603";
const char kBusyOnce[] = "00000000-0000-4000-8000-000000000608";

const Seconds kTimeout(10);

std::string Variable(const char* name, const std::string& otherwise = "") {
  const char* value = std::getenv(name);
  return value ? value : otherwise;
}

std::string Read(const std::string& path) {
  if (path.empty()) return "";
  std::ifstream file(path);
  if (!file) throw std::runtime_error("cannot read " + path);
  return {std::istreambuf_iterator<char>(file), {}};
}

// Connect returns a channel: over TLS if there is an authority to trust. With a
// certificate of its own, a client needs no token where digate has a file of accounts.
std::shared_ptr<grpc::Channel> Connect() {
  auto credentials = grpc::InsecureChannelCredentials();
  if (const auto authorities = Read(Variable("DIGATE_CA_FILE")); !authorities.empty()) {
    credentials = grpc::SslCredentials({authorities, Read(Variable("DIGATE_KEY_FILE")), Read(Variable("DIGATE_CERT_FILE"))});
  }
  grpc::ChannelArguments arguments;
  // The service config repeats reads, and never a write.
  arguments.SetServiceConfigJSON(Read("../../docs/service-config.json"));
  return grpc::CreateCustomChannel(Variable("DIGATE_ADDR", "127.0.0.1:9090"), credentials, arguments);
}

// Caller adds who calls: a token, and an account where the caller has several.
void Caller(grpc::ClientContext& context) {
  if (const auto token = Variable("DIGATE_TOKEN"); !token.empty()) context.AddMetadata("authorization", "Bearer " + token);
  if (const auto account = Variable("DIGATE_ACCOUNT"); !account.empty()) context.AddMetadata("digate-account", account);
}

// Call is the context of a call with a deadline.
struct Call : grpc::ClientContext {
  explicit Call(Seconds timeout = kTimeout) {
    Caller(*this);
    set_deadline(std::chrono::system_clock::now() + std::chrono::duration_cast<std::chrono::system_clock::duration>(timeout));
  }
};

void Check(const grpc::Status& status) {
  if (!status.ok()) throw std::runtime_error(status.error_message());
}

CopyTemplateRequest CopyOf(const std::string& id, const std::string& name) {
  CopyTemplateRequest request;
  request.set_template_id(id);
  request.set_name(name);
  request.set_api_key("k-123");
  (*request.mutable_variables()->mutable_fields())["shop"].set_string_value("acme");
  return request;
}

CopyTemplateRequest CopyWithId(const std::string& id, const std::string& name) {
  static const char digits[] = "0123456789abcdef";
  std::random_device random;
  std::string request_id;
  for (int i = 0; i < 32; i++) request_id += digits[random() % 16];
  auto request = CopyOf(id, name);
  request.set_request_id(request_id);
  return request;
}

// Failure copies a template of which the copy fails, and returns the error.
google::rpc::Status Failure(IntegrationService::Stub& stub, const std::string& id, Seconds timeout = kTimeout) {
  Call call(timeout);
  CopyTemplateResponse response;
  const auto status = stub.CopyTemplate(&call, CopyOf(id, "none"), &response);
  if (status.ok()) throw std::runtime_error("the copy of " + id + " did not fail");
  return Details(status);
}

// Bulk sends copies on one stream. Many of them would have to be sent while another
// thread receives results: digate waits for a client that takes none.
void Bulk(IntegrationService::Stub& stub) {
  Call call;
  const auto stream = stub.BulkCopyTemplate(&call);
  for (const char* id : {kTemplate, kMissing, kTemplate}) {
    BulkCopyTemplateRequest request;
    *request.mutable_copy() = CopyWithId(id, "bulk");
    if (!stream->Write(request)) break;  // Finish returns the reason
  }
  stream->WritesDone();
  BulkCopyTemplateResponse result;
  while (stream->Read(&result)) {
    if (result.has_error()) std::cout << "one of the bulk copies: " << Outcome(result.error()) << std::endl;
    if (result.has_summary()) {
      std::cout << "bulk: " << result.summary().done() << " of " << result.summary().total() << " done" << std::endl;
    }
  }
  Check(stream->Finish());
}

void Run() {
  const auto stub = IntegrationService::NewStub(Connect());

  Call copying;
  CopyTemplateResponse copied;
  Check(stub->CopyTemplate(&copying, CopyOf(kTemplate, "my shop"), &copied));
  std::cout << "copied: " << copied.integration().name() << std::endl;

  std::cout << "no such template: " << Outcome(Failure(*stub, kMissing)) << std::endl;
  const auto refused = Failure(*stub, "x");
  std::cout << "bad template id: " << Outcome(refused);
  for (const auto& field : digate::Violations(refused)) std::cout << " " << field;
  std::cout << std::endl;
  std::cout << "no response in time: " << Outcome(Failure(*stub, kNoResponse, Seconds(0.5))) << std::endl;

  const auto once = CopyWithId(kTemplate, "once");
  CopyTemplateResponse first, again;
  Check(digate::CopyOnce(*stub, once, kTimeout, Caller, &first));
  Check(digate::CopyOnce(*stub, once, kTimeout, Caller, &again));
  std::cout << "copied twice with one request id: "
            << (first.integration().id() == again.integration().id() ? "one integration" : "two") << std::endl;

  CopyTemplateResponse late;
  Check(digate::CopyOnce(*stub, CopyWithId(kBusyOnce, "late"), kTimeout, Caller, &late));
  std::cout << "copied after a 503: " << late.integration().name() << std::endl;
  CopyTemplateResponse lost;
  const auto status = digate::CopyOnce(*stub, CopyWithId(kResponseLost, "lost"), kTimeout, Caller, &lost);
  if (!status.ok()) std::cout << "response lost: " << Outcome(Details(status)) << std::endl;

  Call reading;
  GetTemplateRequest get;
  get.set_template_id(kTemplate);
  GetTemplateResponse got;
  Check(stub->GetTemplate(&reading, get, &got));
  std::cout << "template: " << got.template_().name() << std::endl;

  Bulk(*stub);

  Call streaming;
  StreamTemplatesRequest chosen;
  chosen.set_language("en");
  chosen.set_max_items(3);
  const auto templates = stub->StreamTemplates(&streaming, chosen);
  int streamed = 0;
  for (StreamTemplatesResponse one; templates->Read(&one);) streamed++;
  Check(templates->Finish());
  std::cout << "streamed: " << streamed << " templates" << std::endl;

  const auto limited = Failure(*stub, kRateLimited);
  std::cout << "rate limit: " << Outcome(limited) << ", again in " << digate::RetryDelay(limited).value().count() << " s" << std::endl;
}

}  // namespace

int main() {
  try {
    Run();
  } catch (const std::exception& error) {
    std::cerr << error.what() << std::endl;
    return 1;
  }
}
