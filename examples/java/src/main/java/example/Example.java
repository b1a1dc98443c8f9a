package example;

import static example.DigateErrors.copyOnce;
import static example.DigateErrors.outcome;
import static example.DigateErrors.retryDelay;
import static example.DigateErrors.violations;

import com.google.gson.Gson;
import com.google.protobuf.Struct;
import com.google.protobuf.Value;
import io.github.digate.diga.integration.v1.BulkCopyTemplateRequest;
import io.github.digate.diga.integration.v1.BulkCopyTemplateResponse;
import io.github.digate.diga.integration.v1.CopyTemplateRequest;
import io.github.digate.diga.integration.v1.GetTemplateRequest;
import io.github.digate.diga.integration.v1.IntegrationServiceGrpc;
import io.github.digate.diga.integration.v1.IntegrationServiceGrpc.IntegrationServiceBlockingStub;
import io.github.digate.diga.integration.v1.IntegrationServiceGrpc.IntegrationServiceStub;
import io.github.digate.diga.integration.v1.StreamTemplatesRequest;
import io.grpc.ChannelCredentials;
import io.grpc.Grpc;
import io.grpc.InsecureChannelCredentials;
import io.grpc.ManagedChannel;
import io.grpc.Metadata;
import io.grpc.StatusRuntimeException;
import io.grpc.TlsChannelCredentials;
import io.grpc.protobuf.StatusProto;
import io.grpc.stub.MetadataUtils;
import io.grpc.stub.StreamObserver;
import java.io.File;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.UUID;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;

/** Copies templates through digate, and shows what became of each call. */
public final class Example {
  static final String TEMPLATE = "3c90c3cc-0d44-4b50-8888-8dd25736052a";

  // Copying these goes wrong on purpose in `digate dev`.
  static final String MISSING = "99999999-9999-4999-8999-999999999999";
  static final String RATE_LIMITED = "00000000-0000-4000-8000-000000000429";
  static final String NO_RESPONSE = "00000000-0000-4000-8000-000000000601";
  static final String RESPONSE_LOST = "00000000-0000-4000-8000-000000000603";
  static final String BUSY_ONCE = "00000000-0000-4000-8000-000000000608";

  static final Path SERVICE_CONFIG = Path.of("../../docs/service-config.json");
  static final Duration TIMEOUT = Duration.ofSeconds(10);

  public static void main(String[] args) throws Exception {
    var channel = connect();
    try {
      var caller = MetadataUtils.newAttachHeadersInterceptor(metadata());
      show(IntegrationServiceGrpc.newBlockingStub(channel).withInterceptors(caller),
          IntegrationServiceGrpc.newStub(channel).withInterceptors(caller));
    } finally {
      channel.shutdownNow();
    }
  }

  /**
   * Returns a channel: over TLS if there is an authority to trust. With a certificate of
   * its own, a client needs no token where digate has a file of accounts.
   */
  static ManagedChannel connect() throws IOException {
    var address = System.getenv().getOrDefault("DIGATE_ADDR", "127.0.0.1:9090");
    // The service config repeats reads, and never a write.
    @SuppressWarnings("unchecked")
    Map<String, ?> config = new Gson().fromJson(Files.readString(SERVICE_CONFIG), Map.class);
    return Grpc.newChannelBuilder(address, credentials()).defaultServiceConfig(config).build();
  }

  static ChannelCredentials credentials() throws IOException {
    var authorities = System.getenv("DIGATE_CA_FILE");
    if (authorities == null) return InsecureChannelCredentials.create();
    var tls = TlsChannelCredentials.newBuilder().trustManager(new File(authorities));
    var certificate = System.getenv("DIGATE_CERT_FILE");
    if (certificate != null) tls.keyManager(new File(certificate), new File(System.getenv("DIGATE_KEY_FILE")));
    return tls.build();
  }

  /** Returns who calls: a token, and an account where the caller has several. */
  static Metadata metadata() {
    var metadata = new Metadata();
    var token = System.getenv("DIGATE_TOKEN");
    if (token != null) metadata.put(key("authorization"), "Bearer " + token);
    var account = System.getenv("DIGATE_ACCOUNT");
    if (account != null) metadata.put(key("digate-account"), account);
    return metadata;
  }

  static Metadata.Key<String> key(String name) {
    return Metadata.Key.of(name, Metadata.ASCII_STRING_MARSHALLER);
  }

  static CopyTemplateRequest.Builder copyOf(String template) {
    var variables = Struct.newBuilder().putFields("shop", Value.newBuilder().setStringValue("acme").build());
    return CopyTemplateRequest.newBuilder().setTemplateId(template).setApiKey("k-123").setVariables(variables);
  }

  static CopyTemplateRequest.Builder copyWithId(String template) {
    return copyOf(template).setRequestId(UUID.randomUUID().toString());
  }

  /** Copies a template of which the copy fails, and returns the error. */
  static StatusRuntimeException failure(IntegrationServiceBlockingStub stub, String template, Duration timeout) {
    try {
      within(stub, timeout).copyTemplate(copyOf(template).build());
    } catch (StatusRuntimeException error) {
      return error;
    }
    throw new IllegalStateException("the copy of " + template + " did not fail");
  }

  static IntegrationServiceBlockingStub within(IntegrationServiceBlockingStub stub, Duration timeout) {
    return stub.withDeadlineAfter(timeout.toNanos(), TimeUnit.NANOSECONDS);
  }

  static void show(IntegrationServiceBlockingStub stub, IntegrationServiceStub async) throws Exception {
    var copied = within(stub, TIMEOUT).copyTemplate(copyOf(TEMPLATE).setName("my shop").build());
    System.out.println("copied: " + copied.getIntegration().getName());

    System.out.println("no such template: " + outcome(failure(stub, MISSING, TIMEOUT)));
    var refused = failure(stub, "x", TIMEOUT);
    System.out.println("bad template id: " + outcome(refused) + " " + String.join(" ", violations(refused)));
    System.out.println("no response in time: " + outcome(failure(stub, NO_RESPONSE, Duration.ofMillis(500))));

    var once = copyWithId(TEMPLATE).setName("once").build();
    var first = copyOnce(stub, once, TIMEOUT).getIntegration().getId();
    var again = copyOnce(stub, once, TIMEOUT).getIntegration().getId();
    System.out.println("copied twice with one request id: " + (first.equals(again) ? "one integration" : "two"));

    var late = copyOnce(stub, copyWithId(BUSY_ONCE).setName("late").build(), TIMEOUT);
    System.out.println("copied after a 503: " + late.getIntegration().getName());
    try {
      copyOnce(stub, copyWithId(RESPONSE_LOST).build(), TIMEOUT);
    } catch (StatusRuntimeException error) {
      System.out.println("response lost: " + outcome(error));
    }

    var template = within(stub, TIMEOUT).getTemplate(GetTemplateRequest.newBuilder().setTemplateId(TEMPLATE).build());
    System.out.println("template: " + template.getTemplate().getName());

    bulk(async);

    var templates = within(stub, TIMEOUT)
        .streamTemplates(StreamTemplatesRequest.newBuilder().setLanguage("en").setMaxItems(3).build());
    var streamed = 0;
    for (; templates.hasNext(); templates.next()) streamed++;
    System.out.println("streamed: " + streamed + " templates");

    var limited = failure(stub, RATE_LIMITED, TIMEOUT);
    System.out.println("rate limit: " + outcome(limited) + ", again in " + retryDelay(limited).orElseThrow().toSeconds() + " s");
  }

  /**
   * Sends copies on one stream. Many of them would have to be sent while the stream is
   * ready: see {@link io.grpc.stub.ClientResponseObserver}.
   */
  static void bulk(IntegrationServiceStub stub) throws Exception {
    var done = new CompletableFuture<Void>();
    var copies = stub.withDeadlineAfter(TIMEOUT.toSeconds(), TimeUnit.SECONDS)
        .bulkCopyTemplate(new StreamObserver<BulkCopyTemplateResponse>() {
          @Override
          public void onNext(BulkCopyTemplateResponse result) {
            if (result.hasError()) {
              System.out.println("one of the bulk copies: " + outcome(StatusProto.toStatusRuntimeException(result.getError())));
            } else if (result.hasSummary()) {
              var summary = result.getSummary();
              System.out.println("bulk: " + summary.getDone() + " of " + summary.getTotal() + " done");
            }
          }

          @Override
          public void onError(Throwable error) {
            done.completeExceptionally(error);
          }

          @Override
          public void onCompleted() {
            done.complete(null);
          }
        });
    for (var template : List.of(TEMPLATE, MISSING, TEMPLATE)) {
      copies.onNext(BulkCopyTemplateRequest.newBuilder().setCopy(copyWithId(template)).build());
    }
    copies.onCompleted();
    done.get();
  }

  private Example() {}
}
